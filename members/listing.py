"""Lists members in the order of their making or backwards, by what SQL can filter, and counts them.

A member that can't be opened is counted in a metric and left out; the others are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Tampered
from core.ids import uuid7
from members.attributes import load_definitions
from members.keyring import KeyRings
from members.member import Member, Page, read_member
from members.status import Status
from members.vault import UNREADABLE, open_row, ring_for

SQL = sql.load(__package__ or "", "listing.sql")

MAX_PAGE = 500

_FIRST, _LAST = UUID(int=0), UUID(int=(1 << 128) - 1)
_SKEW = timedelta(hours=1)
"""By how much, at the most, an id is older than its row: an import makes ids before the batch is written."""


@dataclass(frozen=True, slots=True)
class Which:
    """Which members: of a status, of a compiled rule (jsonpath over facets), made at or after a time. None: all."""

    status: Status | None = None
    path: str | None = None
    since: datetime | None = None


class MemberList:
    """Members of any account, many at a time."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self._pool = pool
        self._rings = rings

    async def page(
        self,
        account_id: UUID,
        which: Which = Which(),
        *,
        after: UUID | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> Page[Member]:
        """Return up to `limit` (≤ 500) members that stand after the cursor, by id."""
        limit = max(1, min(limit, MAX_PAGE))
        lower, upper = _floor(which), _LAST
        if after is not None:
            lower, upper = (lower, after) if newest_first else (max(lower, after), upper)
        statement = SQL["newest" if newest_first else "oldest"]
        rows = await self._pool.fetch(
            statement, account_id, lower, upper, which.status, which.path, which.since, limit + 1
        )
        items = await self._opened(account_id, rows[:limit])
        return Page(items, rows[limit - 1]["member_id"] if len(rows) > limit else None)

    async def count(self, account_id: UUID, which: Which = Which()) -> int:
        """Return how many members there are; it reads each."""
        found: int = await self._pool.fetchval(
            SQL["count"], account_id, _floor(which), _LAST, which.status, which.path, which.since
        )
        return found

    async def some(self, account_id: UUID, member_ids: Sequence[UUID]) -> list[Member]:
        """Return these members, oldest first; those that are gone are left out."""
        return await self._opened(account_id, await self._pool.fetch(SQL["some"], account_id, member_ids))

    async def _opened(self, account_id: UUID, rows: Sequence[asyncpg.Record]) -> list[Member]:
        ring = await ring_for(self._rings, account_id, {row["ring_version"] for row in rows})
        definitions = await load_definitions(self._pool, account_id)
        opened = []
        for row in rows:
            try:
                opened.append(read_member(row, open_row(ring, row), definitions))
            except Tampered:
                UNREADABLE.inc()
        return opened


def _floor(which: Which) -> UUID:
    # Ids are ordered by time (UUIDv7), so that a list since yesterday doesn't walk over all that was before.
    if which.since is None:
        return _FIRST
    earliest = max(0, int((which.since - _SKEW).timestamp() * 1000))
    return uuid7(earliest, bytes(10))
