"""Segments: named rules over open and matchable attributes and groups, and what they would find now."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, Fault, InvalidInput, NotFound, StaleRevision
from members.addresses import mask
from members.audience import AudienceSource, Count
from members.keyring import KeyRings
from members.vault import Vault

SQL = sql.load(__package__ or "", "segments.sql")

MAX_NAME = 200
SAMPLES = 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A rule by name; `rule` as it was given (members/rules.py)."""

    segment_id: UUID
    name: str
    rule: Mapping[str, Any]
    revision: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule finds now, and a few of the addresses, masked (`t***@example.jp`)."""

    count: Count
    samples: tuple[str, ...]


class SegmentStore:
    """Segments by account."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings, new_id: Callable[[], UUID]) -> None:
        self._pool = pool
        self._new_id = new_id
        self._source = AudienceSource(pool, rings)
        self._vault = Vault(pool, rings)

    async def create(self, account_id: UUID, name: str, rule: Mapping[str, Any]) -> Segment:
        """Add a segment; raise InvalidInput with pointers from `/rule` on, SealedAttribute, Conflict on the name."""
        _check_name(name)
        await self._source.read(account_id, rule, "/rule")
        try:
            return _segment(await self._pool.fetchrow(SQL["create"], self._new_id(), account_id, name, rule))
        except asyncpg.UniqueViolationError:
            raise Conflict("Another segment has this name") from None

    async def list(self, account_id: UUID) -> list[Segment]:
        """Return the account's segments, oldest first."""
        return [_segment(row) for row in await self._pool.fetch(SQL["list"], account_id)]

    async def get(self, account_id: UUID, segment_id: UUID) -> Segment:
        """Return one segment; raise NotFound."""
        return _segment(await self._pool.fetchrow(SQL["get"], account_id, segment_id))

    async def change(
        self,
        account_id: UUID,
        segment_id: UUID,
        revision: int,
        *,
        name: str | None = None,
        rule: Mapping[str, Any] | None = None,
    ) -> Segment:
        """Change name or rule; raises as `create`, and StaleRevision if `revision` is not the newest."""
        old = await self.get(account_id, segment_id)
        _check_name(old.name if name is None else name)
        await self._source.read(account_id, old.rule if rule is None else rule, "/rule")
        try:
            row = await self._pool.fetchrow(
                SQL["change"],
                account_id,
                segment_id,
                revision,
                old.name if name is None else name,
                old.rule if rule is None else rule,
            )
        except asyncpg.UniqueViolationError:
            raise Conflict("Another segment has this name") from None
        if row is None:
            raise StaleRevision("The segment was changed in the meantime")
        return _segment(row)

    async def remove(self, account_id: UUID, segment_id: UUID) -> None:
        """Remove a segment; raise NotFound."""
        if await self._pool.fetchval(SQL["remove"], account_id, segment_id) is None:
            raise NotFound("No such segment")

    async def preview(self, account_id: UUID, rule: Mapping[str, Any]) -> Preview:
        """Count what a rule finds now, and show up to 20 of those that can be sent to."""
        read = await self._source.read(account_id, rule, "/rule")
        audience = await self._source.compile(account_id, [read])
        count = await self._source.count(account_id, audience)
        member_ids = await self._source.samples(account_id, audience, SAMPLES)
        opened = await self._vault.open_members(account_id, member_ids)
        return Preview(count, tuple(sorted(mask(member.address) for member in opened)))


def _check_name(name: str) -> None:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        fault = Fault("/name", "bad-name", f"1 to {MAX_NAME} printable characters")
        raise InvalidInput("The segment needs a name", [fault])


def _segment(row: asyncpg.Record | None) -> Segment:
    if row is None:
        raise NotFound("No such segment")
    return Segment(row["segment_id"], row["name"], row["rule"], row["revision"], row["created_at"])
