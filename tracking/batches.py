"""A batch of events as it is stored: whole or not at all, and once however often it is tried.

Its id is fixed before the first attempt and stored with its rows, so that a COMMIT whose answer was lost can be
repeated, also from a spool and much later. What is raised says why this attempt failed, not whether it was committed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from core import sql
from core.database import AWAY
from tracking.event import Event

SQL = sql.load(__package__ or "", "intake.sql")

MAY_GO_WELL: tuple[type[BaseException], ...] = (
    *AWAY,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InsufficientResourcesError,
)
"""What `store` raises where the same attempt may go well later: the server is away, busy, full, or a standby."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events, and when each happened: seconds since 1970 by the clock of the machine that took it in."""

    batch_id: UUID
    events: Sequence[Event]
    happened: Sequence[float]


async def store(main: asyncpg.Pool, batch: Batch, now: float) -> set[int]:
    """Commit a batch; return the positions (from 0) of events that name no delivery.

    `now` is the time of the machine that took the events in: how long ago they happened is what Postgres is told, whose
    own clock dates them.
    """
    agents = list({event.agent.digest: event.agent for event in batch.events}.values())
    rows = await main.fetch(
        SQL["record"],
        batch.batch_id,
        [event.run_id for event in batch.events],
        [event.seq for event in batch.events],
        [event.kind for event in batch.events],
        [event.link for event in batch.events],
        [max(0.0, now - at) for at in batch.happened],
        [event.agent.digest for event in batch.events],
        [agent.digest for agent in agents],
        [agent.text for agent in agents],
        [agent.label for agent in agents],
        [agent.rule for agent in agents],
    )
    return {row["position"] - 1 for row in rows}
