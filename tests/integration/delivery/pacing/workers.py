"""A worker as these tests see one: live in the database, asking about one pair."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from delivery.pacing.permits import Permits
from delivery.pacing.wants import Grant, Pair, Want


@dataclass(frozen=True)
class Limits:
    connections: int = 10
    start: int = 10
    rate: float | None = None


@dataclass
class Worker:
    """A live worker that wants `connections` of one pair whenever it asks."""

    owner: UUID
    permits: Permits
    pair: Pair
    grant: Grant | None = None

    async def ask(self, connections: int = 10, limits: Limits | None = None, **others: object) -> Grant:
        [self.grant] = await self.permits.ask([self.want(connections, limits, **others)])
        return self.grant

    def want(self, connections: int = 10, limits: Limits | None = None, **others: object) -> Want:
        source_id, site_id = self.pair
        return Want(
            source_id=source_id,
            site_id=site_id,
            connections=connections,
            limits=limits or Limits(),
            **others,  # type: ignore[arg-type]
        )

    @property
    def slots(self) -> set[int]:
        return set() if self.grant is None else {slot.number for slot in self.grant.slots}


Hire = Callable[..., Awaitable[Worker]]

Held = Callable[[], Awaitable[int]]


async def hired(main: asyncpg.Pool, owner: UUID, pair: Pair, *, pool: str = "bulk", through: asyncpg.Pool) -> Worker:
    """Register a worker that lives for a day."""
    await main.execute(
        "INSERT INTO worker (owner, pool, slot, host, pid, alive_until) "
        "VALUES ($1, $2, 0, 'h', 1, app.now() + interval '1 day')",
        *(owner, pool),
    )
    return Worker(owner, Permits(through, owner, pool, lambda: 0.0), pair)
