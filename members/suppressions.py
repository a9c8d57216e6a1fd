"""The suppression list: addresses that get no mail, known by their keyed hash alone, so that it outlives erasure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound
from members.addresses import parse
from members.keyring import KeyRings

SQL = sql.load(__package__ or "", "suppressions.sql")

Reason = Literal["unsubscribed", "bounced", "complained", "erased", "manual"]
MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class Suppression:
    """One entry. `hash`: 32 bytes, by which it is listed and removed."""

    hash: bytes
    scope: str
    reason: Reason
    occurred_at: datetime


class Stop(NamedTuple):
    """A stop on its way from the main database into the vault."""

    account_id: UUID
    member_id: UUID
    reason: Reason
    occurred_at: datetime


class SuppressionStore:
    """Suppressions by account."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self._pool = pool
        self._rings = rings

    async def add(
        self, account_id: UUID, address: str, reason: Reason = "manual", occurred_at: datetime | None = None
    ) -> Suppression:
        """Suppress an address, of a member or not (now, unless `occurred_at` says when); raise BadAddress.

        An address that is suppressed already keeps its first reason.
        """
        digest = await self._digest(account_id, address)
        await self._pool.execute(SQL["add"], account_id, digest, reason, occurred_at)
        return await self.get(account_id, digest)

    async def get(self, account_id: UUID, digest: bytes) -> Suppression:
        """Return the entry of a hash; raise NotFound."""
        row = await self._pool.fetchrow(SQL["get"], account_id, digest)
        if row is None:
            raise NotFound("No such suppression")
        return Suppression(**row)

    async def find(self, account_id: UUID, address: str) -> Suppression | None:
        """Return the entry of an address, None if it is not suppressed; raise BadAddress."""
        row = await self._pool.fetchrow(SQL["get"], account_id, await self._digest(account_id, address))
        return None if row is None else Suppression(**row)

    async def list(
        self, account_id: UUID, *, after: bytes | None = None, limit: int = 100
    ) -> tuple[list[Suppression], bytes | None]:
        """Return up to `limit` (≤ 500) entries by hash after the cursor, and the next cursor or None."""
        limit = max(1, min(limit, MAX_PAGE))
        rows = await self._pool.fetch(SQL["list"], account_id, after, limit + 1)
        items = [Suppression(**row) for row in rows[:limit]]
        return items, items[-1].hash if len(rows) > limit else None

    async def members_of(self, account_id: UUID, digest: bytes) -> Sequence[UUID]:
        """Return the members whose address has this hash: one, or none."""
        return [row["member_id"] for row in await self._pool.fetch(SQL["members_of"], account_id, digest)]

    async def remove(self, account_id: UUID, digest: bytes) -> None:
        """Take a hash off the list; raise NotFound. The member's own status stays what it is."""
        if await self._pool.fetchval(SQL["remove"], account_id, digest) is None:
            raise NotFound("No such suppression")

    async def _digest(self, account_id: UUID, address: str) -> bytes:
        ring = await self._rings.ring(account_id)
        return ring.suppression.digest(parse(address).key)


async def carry_stops(pool: asyncpg.Pool, stops: Sequence[Stop]) -> int:
    """Carry stops into the consent ledger and the suppression list; return how many were new to it.

    For the scheduler's role, which may do nothing else here. Idempotent; a consent given more than 5 s after a stop
    outlives it.
    """
    columns = [list(column) for column in zip(*stops, strict=True)] or [[], [], [], []]
    carried: int = await pool.fetchval(SQL["carry"], *columns)
    return carried
