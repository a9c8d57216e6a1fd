"""What a report says of a run and of a campaign: values only, and each rate defined once.

    open_rate = opens / accepted                click_rate = clicks / accepted
    unique_open_rate = unique_opens / accepted  unique_click_rate = unique_clicks / accepted

`accepted` is what a receiving server has taken (a 250 after DATA); opens and clicks count every event, the unique
ones each recipient once. A rate is null as long as nothing was accepted, and may exceed 1 where events are counted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts of recipients, except `deferred` (tries put off by the receiver), `opens` and `clicks` (events).

    snapshot = accepted + failed + suppressed + cancelled + uncertain + waiting, always. `unsubscribes` counts people.
    """

    snapshot: int = 0
    accepted: int = 0
    failed: int = 0
    failed_by_reason: Mapping[str, int] = field(default_factory=dict)
    suppressed: int = 0
    suppressed_by_reason: Mapping[str, int] = field(default_factory=dict)
    cancelled: int = 0
    uncertain: int = 0
    waiting: int = 0
    deferred: int = 0
    opens: int = 0
    unique_opens: int = 0
    clicks: int = 0
    unique_clicks: int = 0
    unsubscribes: int = 0

    @property
    def open_rate(self) -> float | None:
        """Opens for each accepted message."""
        return self._rate(self.opens)

    @property
    def unique_open_rate(self) -> float | None:
        """The share of accepted messages that were opened at least once."""
        return self._rate(self.unique_opens)

    @property
    def click_rate(self) -> float | None:
        """Clicks for each accepted message."""
        return self._rate(self.clicks)

    @property
    def unique_click_rate(self) -> float | None:
        """The share of accepted messages in which at least one link was followed."""
        return self._rate(self.unique_clicks)

    def _rate(self, count: int) -> float | None:
        return count / self.accepted if self.accepted else None

    @classmethod
    def total(cls, parts: Iterable["Figures"]) -> Self:
        """Add figures up; a person who is in several runs counts once in each."""
        parts = list(parts)
        sums = {name: sum(getattr(part, name) for part in parts) for name in _COUNTS}
        return cls(
            **sums,
            failed_by_reason=_added(part.failed_by_reason for part in parts),
            suppressed_by_reason=_added(part.suppressed_by_reason for part in parts),
        )


_COUNTS = tuple(name for name in Figures.__dataclass_fields__ if not name.endswith("_by_reason"))


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
    """A campaign's runs, oldest first, without test sends, and their sum."""

    campaign_id: UUID
    name: str
    runs: tuple[RunReport, ...]
    total: Figures


@dataclass(frozen=True, slots=True)
class LinkReport:
    """One link of a run's frozen content: its number from 0, how often it was followed, and by how many people."""

    run_id: UUID
    number: int
    url: str
    clicks: int
    unique_clicks: int
