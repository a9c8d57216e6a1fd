"""The counters: writers insert deltas, housekeeping folds them into one row a counter, a reader adds both.

No writer ever updates a counter in place, so an old snapshot elsewhere slows nobody. All three functions may
run in any number of processes at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql

SQL = sql.load(__package__ or "", "tallies.sql")

FOLD_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Tally:
    """One counter of a run. `detail` is a reason, `link` a link's number or -1; `people` counts each recipient once."""

    run_id: UUID
    kind: str
    detail: str
    link: int
    total: int
    people: int


async def fold(main: asyncpg.Pool, rows: int = FOLD_ROWS) -> int:
    """Fold at most `rows` deltas into their counters; return how many; fewer than `rows` means that none are left."""
    folded: int = await main.fetchval(SQL["fold"], rows)
    return folded


async def read(main: asyncpg.Pool | PoolConnectionProxy, run_ids: Sequence[UUID]) -> list[Tally]:
    """Return the counters of these runs, as of now; those that are zero may be absent."""
    return [Tally(**dict(row)) for row in await main.fetch(SQL["read"], list(run_ids))]


async def forget_batches(main: asyncpg.Pool, rows: int = FOLD_ROWS) -> int:
    """Delete at most `rows` ids of batches that nobody can retry any more; return how many."""
    status = await main.execute(SQL["forget_batches"], rows)
    return int(status.rpartition(" ")[2])
