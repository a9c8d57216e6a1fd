"""What is seen of the main database at one moment, and what two moments tell: rates, deferrals of late."""

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from core import sql
from core.clock import Clock
from deploy.operating import restrictions
from deploy.operating.restrictions import Imposed
from tracking.spool import EMPTY, Extent, measure

SQL = sql.load(__package__ or "", "glance.sql")

SPEED_SECONDS = 10.0
"""Over how long a source's speed is taken."""
LATE_SECONDS = 300.0
"""How long deferrals are news."""

Row = Mapping[str, Any]
Deferrals = Mapping[tuple[UUID, str], int]
"""Tries put off, by run and reason."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What was seen at one moment: `taken` in monotonic seconds; `spool` is this machine's, for `spool_seconds`."""

    taken: float
    runs: Sequence[Row] = ()
    workers: Sequence[Row] = ()
    stops: Row = field(default_factory=dict)
    sites: Sequence[Row] = ()
    sources: Sequence[Row] = ()
    restrictions: Sequence[Imposed] = ()
    deferrals: Deferrals = field(default_factory=dict)
    spool: Extent = EMPTY
    spool_seconds: float = 0.0


async def look(main: asyncpg.Pool, clock: Clock, spool: Path) -> Glance:
    """Read everything in one snapshot of the main database, and how much waits in the directory `spool`."""
    async with main.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        runs = [dict(row) for row in await connection.fetch(SQL["runs"])]
        workers = [dict(row) for row in await connection.fetch(SQL["workers"])]
        stops = await connection.fetchrow(SQL["stops"])
        sites = [dict(row) for row in await connection.fetch(SQL["sites"])]
        imposed = await restrictions.in_force(connection)
        deferred = await connection.fetch(SQL["deferrals"], [run["run_id"] for run in runs])
        await connection.execute(SQL["by_index"])
        sources = [dict(row) for row in await connection.fetch(SQL["sources"], SPEED_SECONDS)]
    waiting = measure(spool)
    return Glance(
        taken=clock.monotonic(),
        runs=runs,
        workers=workers,
        stops=dict(stops or {}),
        sites=sites,
        sources=sources,
        restrictions=imposed,
        deferrals={(row["run_id"], row["reason"]): row["total"] for row in deferred},
        spool=waiting,
        spool_seconds=max(0.0, clock.now().timestamp() - waiting.since) if waiting.since else 0.0,
    )


def done(run: Row) -> int:
    """Return how many recipients of a run are settled."""
    return int(run["accepted"] + run["failed"] + run["suppressed"] + run["uncertain"])


def rates(now: Glance, before: Glance | None) -> dict[UUID, float]:
    """Return messages accepted a second since the glance before, by run; empty without one."""
    if before is None or now.taken <= before.taken:
        return {}
    then = {run["run_id"]: run["accepted"] for run in before.runs}
    spent = now.taken - before.taken
    return {run["run_id"]: (run["accepted"] - then[run["run_id"]]) / spent for run in now.runs if run["run_id"] in then}


class Lately:
    """Deferrals by reason since the oldest glance of the last five minutes."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Deferrals]] = deque()

    def add(self, now: Glance) -> None:
        """Take in one more glance, and forget those that are no news any more but for the last of them."""
        self._seen.append((now.taken, now.deferrals))
        while len(self._seen) > 1 and now.taken - self._seen[1][0] >= LATE_SECONDS:
            self._seen.popleft()

    @property
    def seconds(self) -> float:
        """How far back it goes."""
        return self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0

    def by_reason(self) -> list[tuple[str, int]]:
        """Return how many tries were put off, the most frequent reasons first."""
        if not self._seen:
            return []
        then, now = self._seen[0][1], self._seen[-1][1]
        return _by_reason((reason, total - then.get((run, reason), 0)) for (run, reason), total in now.items())


def so_far(now: Glance) -> list[tuple[str, int]]:
    """Return how many tries were put off in all runs that are shown, the most frequent reasons first."""
    return _by_reason((reason, total) for (_, reason), total in now.deferrals.items())


def _by_reason(counted: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    sums: Counter[str] = Counter()
    for reason, total in counted:
        sums[reason] += total
    return [(reason, total) for reason, total in sums.most_common() if total > 0]
