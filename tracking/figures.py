"""What a report says of a run and of a campaign: values only, each count and each rate defined once, here.

`accepted` is what a receiving server has taken (a 250 after DATA). Opens and clicks count every event, the unique ones
each recipient once; those of people and of machines are counted when their events are settled, and may be behind the
totals until then. A rate is null as long as what it is of is zero, and may exceed 1 where events are counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self, overload
from uuid import UUID

BOUNCED = ("hard", "soft", "policy", "unknown")
"""Classes of what comes back that say that a mail was not delivered; the others are answers by machines."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of `count` there are for each of `of`, and what that says. Read from figures, it is their rate."""

    count: str
    of: str
    means: str

    @overload
    def __get__(self, figures: None, owner: type) -> "Rate": ...
    @overload
    def __get__(self, figures: "Figures", owner: type) -> float | None: ...
    def __get__(self, figures: "Figures | None", owner: type) -> "Rate | float | None":
        """Return the rate of `figures`, or from the class its definition."""
        if figures is None:
            return self
        of = getattr(figures, self.of)
        return getattr(figures, self.count) / of if of else None

    @property
    def definition(self) -> str:
        """The rate in words and as a formula."""
        return f"{self.means}: {self.count} / {self.of}"


def _count(means: str) -> Any:  # a default as dataclasses.field gives it
    return field(default=0, metadata={"means": means})


def _by(means: str) -> Any:
    return field(default_factory=dict, metadata={"means": means})


@dataclass(frozen=True, slots=True)
class Figures:
    """snapshot = accepted + failed + suppressed + cancelled + uncertain + waiting, always."""

    snapshot: int = _count("Recipients that the run was cut for")
    accepted: int = _count("Recipients whose mail the receiving server took")
    failed: int = _count("Recipients whose mail will not be delivered")
    failed_by_reason: Mapping[str, int] = _by("These, by reason")
    suppressed: int = _count("Recipients left out after the snapshot")
    suppressed_by_reason: Mapping[str, int] = _by("These, by reason")
    cancelled: int = _count("Recipients not sent to any more, since the run was cancelled")
    uncertain: int = _count("Recipients whose mail was on the wire when the answer was lost")
    waiting: int = _count("Recipients with no final result yet")
    deferred: int = _count("Tries that the receiver put off")
    opens: int = _count("Loads of the pixel, every one")
    unique_opens: int = _count("Recipients with at least one")
    human_opens: int = _count("Loads by people, of what is settled")
    unique_human_opens: int = _count("Recipients with at least one load by a person")
    machine_opens: int = _count("Loads by machines, of what is settled")
    clicks: int = _count("Links followed, every time")
    unique_clicks: int = _count("Recipients who followed at least one")
    human_clicks: int = _count("Links followed by people, of what is settled")
    unique_human_clicks: int = _count("Recipients who followed at least one themselves")
    machine_clicks: int = _count("Links followed by machines, of what is settled")
    unsubscribes: int = _count("Recipients who left by this mail")
    bounces: int = _count("Recipients whose mail came back after it had been accepted")
    bounces_by_class: Mapping[str, int] = _by("Recipients by the class of what came back, answers by machines too")
    complaints: int = _count("Recipients who complained of this mail")

    open_rate = Rate("opens", "accepted", "Opens for each accepted mail")
    unique_open_rate = Rate("unique_opens", "accepted", "The share of accepted mails that were opened")
    human_open_rate = Rate("unique_human_opens", "accepted", "The share of accepted mails that a person opened")
    click_rate = Rate("clicks", "accepted", "Clicks for each accepted mail")
    unique_click_rate = Rate("unique_clicks", "accepted", "The share of accepted mails with a link followed")
    human_click_rate = Rate("unique_human_clicks", "accepted", "The share of accepted mails with a person's click")
    click_to_open_rate = Rate("unique_human_clicks", "unique_human_opens", "People who clicked for each who opened")
    unsubscribe_rate = Rate("unsubscribes", "accepted", "The share of accepted mails by which somebody left")
    bounce_rate = Rate("bounces", "accepted", "The share of accepted mails that came back")
    complaint_rate = Rate("complaints", "accepted", "The share of accepted mails that somebody complained of")

    @classmethod
    def total(cls, parts: Iterable["Figures"]) -> Self:
        """Add figures up; a person who is in several runs counts once in each."""
        parts = list(parts)
        sums: dict[str, Any] = {name: sum(getattr(part, name) for part in parts) for name in COUNTS}
        sums |= {name: _added(getattr(part, name) for part in parts) for name in BY_REASON}
        return cls(**sums)


MEANINGS: Mapping[str, str] = {one.name: one.metadata["means"] for one in fields(Figures)}
"""What each count says."""
BY_REASON = tuple(name for name in MEANINGS if "_by_" in name)
COUNTS = tuple(name for name in MEANINGS if name not in BY_REASON)
RATES: Mapping[str, Rate] = {name: rate for name, rate in vars(Figures).items() if isinstance(rate, Rate)}


def _added(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    sums: dict[str, int] = {}
    for part in parts:
        for reason, count in part.items():
            sums[reason] = sums.get(reason, 0) + count
    return dict(sorted(sums.items()))


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run of a campaign; times are null until they come."""

    run_id: UUID
    state: str
    starts_at: datetime
    started_at: datetime | None
    first_sent_at: datetime | None
    finished_at: datetime | None
    figures: Figures

    @property
    def lateness_ms(self) -> int | None:
        """Milliseconds from the time it was scheduled for to the first message accepted."""
        if self.first_sent_at is None:
            return None
        return round((self.first_sent_at - self.starts_at).total_seconds() * 1000)


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """A campaign's runs, oldest first, without test sends, and their sum.

    What came before `settled_until` is told apart by people and machines for good.
    """

    campaign_id: UUID
    name: str
    runs: tuple[RunReport, ...]
    total: Figures
    settled_until: datetime


@dataclass(frozen=True, slots=True)
class VersionReport:
    """The runs that sent the same frozen content: its number from 1 in their order, its subject as it was written."""

    number: int
    subject: str
    run_ids: tuple[UUID, ...]
    figures: Figures


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """All runs that started from `since` to before `until`, added up; a person who is in several counts in each."""

    since: datetime
    until: datetime
    campaigns: int
    runs: int
    total: Figures
    settled_until: datetime


@dataclass(frozen=True, slots=True)
class LinkReport:
    """One link of a run's frozen content: its number from 0, how often it was followed, and by how many."""

    run_id: UUID
    number: int
    url: str
    clicks: int
    unique_clicks: int
    human_clicks: int
    unique_human_clicks: int
