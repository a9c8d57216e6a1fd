"""Counters broken down by time and by provider: a campaign's series, and how mail fares at each provider.

Results are counted in their own transaction, by triggers (core/schema/main/0024_breakdowns.sql). Events are counted by
housekeeping a second or two later, in the order of the feed, and the place that was reached is noted in the same
transaction: whoever dies in between has counted nothing, and whoever goes on counts nothing twice. In the first 48
hours of a run figures are kept by the minute, then by the quarter of an hour. Opens and clicks are told apart by the
label that they have now, settled or not.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from core import sql
from core.errors import Fault, InvalidInput
from members.spans import beginnings, floor
from tracking import feed
from tracking.figures import BOUNCED
from tracking.reports import name_of

SQL = sql.load(__package__ or "", "breakdown.sql")

FOLD_ROWS = 10_000
WINDOW = 10_000
ROUNDS = 10
FINE_SECONDS = 48 * 3600.0
"""How long after a run's start figures are kept by the minute."""
MOST_RUNS = 1_000
"""Runs that one report on providers looks at."""

Step = Literal["minute", "hour", "day"]

OTHER = "other"
_HOURS = "By the minute, at most 48"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Breakdown:
    """Counts as in tracking/figures.py, of one part: a span of time, or a provider."""

    accepted: int = 0
    failed: int = 0
    deferred: int = 0
    opens: int = 0
    unique_opens: int = 0
    human_opens: int = 0
    machine_opens: int = 0
    clicks: int = 0
    unique_clicks: int = 0
    human_clicks: int = 0
    machine_clicks: int = 0
    unsubscribes: int = 0
    bounces: int = 0
    complaints: int = 0

    def add(self, kind: str, detail: str, total: int, people: int) -> None:
        """Add one counter."""
        if kind in _TOTALS:
            name = _TOTALS[kind]
            setattr(self, name, getattr(self, name) + total)
        if kind in _PEOPLE and (kind != "bounce" or detail in BOUNCED):
            name = _PEOPLE[kind]
            setattr(self, name, getattr(self, name) + people)


_TOTALS = {
    "accepted": "accepted",
    "failed": "failed",
    "deferred": "deferred",
    "open": "opens",
    "human_open": "human_opens",
    "machine_open": "machine_opens",
    "click": "clicks",
    "human_click": "human_clicks",
    "machine_click": "machine_clicks",
}
_PEOPLE = {
    "open": "unique_opens",
    "click": "unique_clicks",
    "unsubscribe": "unsubscribes",
    "bounce": "bounces",
    "complaint": "complaints",
}
COUNTS = tuple(Breakdown.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Span:
    """What happened from `at` on, for one step. People stand where they did something first."""

    at: datetime
    counts: Breakdown


@dataclass(frozen=True, slots=True)
class Series:
    """A campaign over time, from `since` to `until`; spans in which nothing happened are left out."""

    campaign_id: UUID
    step: Step
    time_zone: str
    since: datetime
    until: datetime
    spans: Sequence[Span]


@dataclass(frozen=True, slots=True)
class Provider:
    """How mail fared at a provider that the rule file names, or at all others (`other`). Deferrals are tries."""

    provider: str
    counts: Breakdown = field(default_factory=Breakdown)
    deferred_by_reason: dict[str, int] = field(default_factory=dict)
    failed_by_reason: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, detail: str, total: int, people: int) -> None:
        """Add one counter."""
        self.counts.add(kind, detail, total, people)
        reasons = {"deferred": self.deferred_by_reason, "failed": self.failed_by_reason}.get(kind)
        if reasons is not None:
            reasons[detail] = reasons.get(detail, 0) + total


async def break_down(main: asyncpg.Pool) -> int:
    """Count the events that have come since, at most some 100,000; return how many places of the feed that was."""
    passed = 0
    for _ in range(ROUNDS):
        async with main.acquire() as connection, connection.transaction():
            position = await connection.fetchval(SQL["progress"])
            if position is None:
                break
            end = min(position + WINDOW, await connection.fetchval(feed.SQL["safe"]))
            if end <= position:
                break
            await connection.execute(SQL["break_down"], position, end)
            await connection.execute(SQL["reach"], end)
        passed += end - position
    return passed


async def fold(main: asyncpg.Pool, rows: int = FOLD_ROWS) -> int:
    """Fold at most `rows` deltas; return how many; fewer than `rows` means that none are left."""
    folded: int = await main.fetchval(SQL["fold"], rows, FINE_SECONDS)
    return folded


class BreakdownStore:
    """Reads breakdowns; another account's campaign is NotFound."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def series(
        self, account_id: UUID, campaign_id: UUID, step: Step, *, hours: int, time_zone: str | None = None
    ) -> Series:
        """Return the `hours` that follow the start of a campaign's first run, by `step` in a zone.

        Without a zone it is the one that the campaign was scheduled in, else UTC. Raises NotFound, InvalidInput if
        minutes are asked for past the 48 hours that have them.
        """
        if step == "minute" and hours * 3600 > FINE_SECONDS:
            raise InvalidInput("There are no such minutes", [Fault("/query/hours", "range", _HOURS)])
        async with self._main.acquire() as connection:
            await name_of(connection, account_id, campaign_id)
            runs = await connection.fetch(SQL["runs"], account_id, campaign_id)
            zone = ZoneInfo(time_zone or next((run["time_zone"] for run in runs if run["time_zone"]), "UTC"))
            since = floor(runs[0]["starts_at"] if runs else _EPOCH, step, zone)
            until = (since.astimezone(UTC) + timedelta(hours=hours)).astimezone(zone)
            begins = list(beginnings(since, until, step, zone))
            rows = await connection.fetch(
                SQL["series"],
                [run["run_id"] for run in runs],
                _minute(since),
                _minute(until),
                [_minute(begin) for begin in begins],
            )
        found: defaultdict[datetime, Breakdown] = defaultdict(Breakdown)
        for row in rows:
            found[begins[row["span"]]].add(row["kind"], row["detail"], row["total"], row["people"])
        return Series(campaign_id, step, zone.key, since, until, [Span(at, counts) for at, counts in found.items()])

    async def providers(self, account_id: UUID, campaign_id: UUID) -> list[Provider]:
        """Return how a campaign fared at each provider. Raises NotFound."""
        async with self._main.acquire() as connection:
            await name_of(connection, account_id, campaign_id)
            runs = await connection.fetch(SQL["runs"], account_id, campaign_id)
            return _providers(await connection.fetch(SQL["by_provider"], [run["run_id"] for run in runs]))

    async def deliverability(self, account_id: UUID, since: datetime, until: datetime) -> list[Provider]:
        """Return how the mail of runs that started from `since` to before `until` fared, of the newest 1,000."""
        async with self._main.acquire() as connection:
            runs = await connection.fetch(SQL["runs_between"], account_id, since, until, MOST_RUNS)
            return _providers(await connection.fetch(SQL["by_provider"], [run["run_id"] for run in runs]))


def _minute(at: datetime) -> int:
    return int((at - _EPOCH) // timedelta(minutes=1))


def _providers(rows: Iterable[asyncpg.Record]) -> list[Provider]:
    found: dict[str, Provider] = {}
    for row in rows:
        name = row["provider"] or OTHER
        found.setdefault(name, Provider(name)).add(row["kind"], row["detail"], row["total"], row["people"])
    return sorted(found.values(), key=lambda one: (one.provider == OTHER, one.provider))
