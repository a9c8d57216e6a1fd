"""Reports as they are shown."""

from datetime import datetime

from pydantic import Field

from api.values import Answer, CampaignId, RunId


class FiguresShown(Answer):
    """accepted + failed + suppressed + cancelled + uncertain + waiting = snapshot. Rates are for each accepted one."""

    snapshot: int
    accepted: int
    failed: int
    failed_by_reason: dict[str, int]
    suppressed: int
    suppressed_by_reason: dict[str, int]
    cancelled: int
    uncertain: int
    waiting: int
    deferred: int = Field(description="Tries that the receiver put off")
    opens: int
    unique_opens: int
    clicks: int
    unique_clicks: int
    unsubscribes: int
    open_rate: float | None
    unique_open_rate: float | None
    click_rate: float | None
    unique_click_rate: float | None


class RunReportShown(Answer):
    """One run's figures."""

    run: RunId = Field(validation_alias="run_id")
    state: str
    starts_at: datetime
    started_at: datetime | None
    first_sent_at: datetime | None
    finished_at: datetime | None
    lateness_ms: int | None = Field(description="From the time scheduled to the first message accepted")
    figures: FiguresShown


class CampaignReportShown(Answer):
    """A campaign's runs, oldest first, without tests, and their sum."""

    campaign: CampaignId = Field(validation_alias="campaign_id")
    name: str
    total: FiguresShown
    runs: list[RunReportShown]


class LinkShown(Answer):
    """How often one link of a run was followed, and by how many people."""

    run: RunId = Field(validation_alias="run_id")
    number: int
    url: str
    clicks: int
    unique_clicks: int


class LinksShown(Answer):
    """Every link of every run, those that nobody followed too."""

    items: list[LinkShown]
    next: None = None
