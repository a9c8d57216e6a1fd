"""Reports as they are shown."""

from datetime import datetime

from pydantic import Field

from api.values import Answer, CampaignId, GroupId, RunId, SegmentId
from members.growth import MEANINGS as GROWTH
from members.growth import GrowthStep
from tracking.breakdown import Step
from tracking.figures import MEANINGS, RATES
from tracking.traits import Part


class FiguresShown(Answer):
    """accepted + failed + suppressed + cancelled + uncertain + waiting = snapshot, always."""

    snapshot: int = Field(description=MEANINGS["snapshot"])
    accepted: int = Field(description=MEANINGS["accepted"])
    failed: int = Field(description=MEANINGS["failed"])
    failed_by_reason: dict[str, int] = Field(description=MEANINGS["failed_by_reason"])
    suppressed: int = Field(description=MEANINGS["suppressed"])
    suppressed_by_reason: dict[str, int] = Field(description=MEANINGS["suppressed_by_reason"])
    cancelled: int = Field(description=MEANINGS["cancelled"])
    uncertain: int = Field(description=MEANINGS["uncertain"])
    waiting: int = Field(description=MEANINGS["waiting"])
    deferred: int = Field(description=MEANINGS["deferred"])
    opens: int = Field(description=MEANINGS["opens"])
    unique_opens: int = Field(description=MEANINGS["unique_opens"])
    human_opens: int = Field(description=MEANINGS["human_opens"])
    unique_human_opens: int = Field(description=MEANINGS["unique_human_opens"])
    machine_opens: int = Field(description=MEANINGS["machine_opens"])
    clicks: int = Field(description=MEANINGS["clicks"])
    unique_clicks: int = Field(description=MEANINGS["unique_clicks"])
    human_clicks: int = Field(description=MEANINGS["human_clicks"])
    unique_human_clicks: int = Field(description=MEANINGS["unique_human_clicks"])
    machine_clicks: int = Field(description=MEANINGS["machine_clicks"])
    unsubscribes: int = Field(description=MEANINGS["unsubscribes"])
    bounces: int = Field(description=MEANINGS["bounces"])
    bounces_by_class: dict[str, int] = Field(description=MEANINGS["bounces_by_class"])
    complaints: int = Field(description=MEANINGS["complaints"])
    open_rate: float | None = Field(description=RATES["open_rate"].definition)
    unique_open_rate: float | None = Field(description=RATES["unique_open_rate"].definition)
    human_open_rate: float | None = Field(description=RATES["human_open_rate"].definition)
    click_rate: float | None = Field(description=RATES["click_rate"].definition)
    unique_click_rate: float | None = Field(description=RATES["unique_click_rate"].definition)
    human_click_rate: float | None = Field(description=RATES["human_click_rate"].definition)
    click_to_open_rate: float | None = Field(description=RATES["click_to_open_rate"].definition)
    unsubscribe_rate: float | None = Field(description=RATES["unsubscribe_rate"].definition)
    bounce_rate: float | None = Field(description=RATES["bounce_rate"].definition)
    complaint_rate: float | None = Field(description=RATES["complaint_rate"].definition)


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
    settled_until: datetime = Field(description="What came before it is told apart by people and machines for good")


class VersionShown(Answer):
    """The runs that sent the same frozen content."""

    number: int = Field(description="From 1, in the order of the runs")
    subject: str = Field(description="As it was written, before it was filled for anybody")
    runs: list[RunId] = Field(validation_alias="run_ids")
    figures: FiguresShown


class VersionsShown(Answer):
    """Each content that the campaign was sent with."""

    items: list[VersionShown]
    next: None = None


class PeriodShown(Answer):
    """All runs that started in a period, added up; a person who is in several of them counts in each."""

    since: datetime
    until: datetime
    campaigns: int
    runs: int
    total: FiguresShown
    settled_until: datetime = Field(description="What came before it is told apart by people and machines for good")


class GrowthSpanShown(Answer):
    """What happened to the list from `at` on, for one step."""

    at: datetime
    active: int = Field(description="On the list at its end: active or paused")
    joined: int = Field(description=GROWTH["joined"])
    imported: int = Field(description=GROWTH["imported"])
    signed_up: int = Field(description=GROWTH["signed_up"])
    confirmed: int = Field(description=GROWTH["confirmed"])
    returned: int = Field(description=GROWTH["returned"])
    unsubscribed: int = Field(description=GROWTH["unsubscribed"])
    complained: int = Field(description=GROWTH["complained"])
    bounced: int = Field(description=GROWTH["bounced"])
    lapsed: int = Field(description=GROWTH["lapsed"])
    erased: int = Field(description=GROWTH["erased"])


class GrowthShown(Answer):
    """Growth and decay of the list, each step of a zone, those in which nothing happened too."""

    step: GrowthStep
    time_zone: str
    items: list[GrowthSpanShown]
    next: None = None


_PART = "value; none: no value, or in none of them; other: of a value beyond the bound, or of mail that names nobody"


class SegmentFigures(Answer):
    """The figures of a segment, as it was when the audience was cut."""

    part: Part = Field(description=_PART)
    segment: SegmentId | None = Field(validation_alias="value")
    name: str | None = Field(description="As it is called now; null once it is removed")
    figures: FiguresShown


class SegmentsReportShown(Answer):
    """A recipient in several segments counts in each."""

    items: list[SegmentFigures]
    next: None = None


class GroupFigures(Answer):
    """The figures of a group, as it was when the audience was cut."""

    part: Part = Field(description=_PART)
    group: GroupId | None = Field(validation_alias="value")
    name: str | None = Field(description="As it is called now; null once it is removed")
    figures: FiguresShown


class GroupsReportShown(Answer):
    """A recipient in several groups counts in each."""

    items: list[GroupFigures]
    next: None = None


class ValueFigures(Answer):
    """The figures of recipients with one value of the attribute, when the audience was cut."""

    part: Part = Field(description=_PART)
    value: str | None
    figures: FiguresShown


class AttributeReportShown(Answer):
    """These add up to the campaign. Empty, if it is not reported by this attribute."""

    attribute: str
    items: list[ValueFigures]
    next: None = None


class LinkShown(Answer):
    """How often one link of a run was followed, and by how many people."""

    run: RunId = Field(validation_alias="run_id")
    number: int
    url: str
    clicks: int = Field(description=MEANINGS["clicks"])
    unique_clicks: int = Field(description="Recipients who followed this one")
    human_clicks: int = Field(description=MEANINGS["human_clicks"])
    unique_human_clicks: int = Field(description="Recipients who followed this one themselves")


class LinksShown(Answer):
    """Every link of every run, those that nobody followed too."""

    items: list[LinkShown]
    next: None = None


class BreakdownShown(Answer):
    """Figures of one part of a campaign; people stand where they did something first."""

    accepted: int = Field(description=MEANINGS["accepted"])
    failed: int = Field(description=MEANINGS["failed"])
    deferred: int = Field(description=MEANINGS["deferred"])
    opens: int = Field(description=MEANINGS["opens"])
    unique_opens: int = Field(description=MEANINGS["unique_opens"])
    human_opens: int = Field(description=MEANINGS["human_opens"])
    machine_opens: int = Field(description=MEANINGS["machine_opens"])
    clicks: int = Field(description=MEANINGS["clicks"])
    unique_clicks: int = Field(description=MEANINGS["unique_clicks"])
    human_clicks: int = Field(description=MEANINGS["human_clicks"])
    machine_clicks: int = Field(description=MEANINGS["machine_clicks"])
    unsubscribes: int = Field(description=MEANINGS["unsubscribes"])
    bounces: int = Field(description=MEANINGS["bounces"])
    complaints: int = Field(description=MEANINGS["complaints"])


class SpanShown(Answer):
    """What happened from `at` on, for one step."""

    at: datetime
    counts: BreakdownShown


class SeriesShown(Answer):
    """A campaign over time; steps in which nothing happened are left out."""

    campaign: CampaignId = Field(validation_alias="campaign_id")
    step: Step
    time_zone: str
    since: datetime
    until: datetime
    items: list[SpanShown] = Field(validation_alias="spans")


class ProviderShown(Answer):
    """How mail fared at a provider that the rule file names, or at all others (`other`)."""

    provider: str
    counts: BreakdownShown
    deferred_by_reason: dict[str, int] = Field(description="Tries put off, by reason")
    failed_by_reason: dict[str, int] = Field(description=MEANINGS["failed_by_reason"])


class ProvidersShown(Answer):
    """Every provider that mail went to."""

    items: list[ProviderShown]
    next: None = None


class ComparisonShown(Answer):
    """Campaigns side by side, as of one moment."""

    items: list[CampaignReportShown]
    next: None = None
