"""Segments: named rules over all that is known of members; one may name another, never in a circle."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from core import ids, sql
from core.errors import Conflict, Fault, InvalidInput, NotFound, StaleRevision
from members.audience import AudienceSource
from members.connection import Lent
from members.errors import SegmentInUse
from members.keyring import KeyRings, Ring
from members.rules.hiding import hide_values, show_values
from members.rules.reading import SEGMENT, read_rule

SQL = sql.load(__package__ or "", "segments.sql")

MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Segment:
    """A rule by name; `rule` as it was given (docs/reference/attributes-and-rules.md)."""

    segment_id: UUID
    name: str
    rule: Mapping[str, Any]
    revision: int
    created_at: datetime


class SegmentRules:
    """Reads the rules of an account's segments and nothing else of them, for who says why a mail was sent."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self._pool = pool
        self._rings = rings

    async def rules(self, account_id: UUID) -> dict[UUID, Any]:
        """Return each segment's rule as JSON, with what was hidden in it."""
        ring = await self._rings.ring(account_id)
        rows = await self._pool.fetch(SQL["rules"], account_id)
        return {row["segment_id"]: show_values(row["rule"], ring) for row in rows}


class SegmentStore:
    """Segments by account. Values that a rule names are stored sealed, unless their attribute is open."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        audiences: AudienceSource,
        new_id: Callable[[], UUID],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._pool = pool
        self._rings = rings
        self._audiences = audiences
        self._new_id = new_id
        self._random = random

    async def create(self, account_id: UUID, name: str, rule: Mapping[str, Any]) -> Segment:
        """Add a segment; raise InvalidInput with pointers from `/rule` on, Conflict on the name."""
        _check_name(name)
        ring = await self._rings.ring(account_id)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock"], account_id)
            stored = await self._checked(connection, ring, rule, None)
            try:
                row = await connection.fetchrow(SQL["create"], self._new_id(), account_id, name, stored)
            except asyncpg.UniqueViolationError:
                raise Conflict("Another segment has this name") from None
        return _segment(row, ring)

    async def list(self, account_id: UUID) -> list[Segment]:
        """Return the account's segments, oldest first."""
        ring = await self._rings.ring(account_id)
        return [_segment(row, ring) for row in await self._pool.fetch(SQL["list"], account_id)]

    async def names(self, account_id: UUID) -> Mapping[UUID, str]:
        """Return the names of the account's segments."""
        return {row["segment_id"]: row["name"] for row in await self._pool.fetch(SQL["names"], account_id)}

    async def get(self, account_id: UUID, segment_id: UUID) -> Segment:
        """Return one segment; raise NotFound."""
        row = await self._pool.fetchrow(SQL["get"], account_id, segment_id)
        return _segment(row, await self._rings.ring(account_id))

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
        new_name, new_rule = (old.name if name is None else name), (old.rule if rule is None else rule)
        _check_name(new_name)
        ring = await self._rings.ring(account_id)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock"], account_id)
            stored = await self._checked(connection, ring, new_rule, segment_id)
            try:
                row = await connection.fetchrow(SQL["change"], account_id, segment_id, revision, new_name, stored)
            except asyncpg.UniqueViolationError:
                raise Conflict("Another segment has this name") from None
            if row is None:
                raise StaleRevision("The segment was changed in the meantime")
        return _segment(row, ring)

    async def remove(self, account_id: UUID, segment_id: UUID) -> None:
        """Remove a segment; raise NotFound, or SegmentInUse if another one names it."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock"], account_id)
            naming = await connection.fetch(SQL["naming"], account_id, ids.encode(SEGMENT, segment_id))
            if naming:
                raise SegmentInUse(f"Segments name it: {', '.join(row['name'] for row in naming)}")
            if await connection.fetchval(SQL["remove"], account_id, segment_id) is None:
                raise NotFound("No such segment")

    async def _checked(self, connection: Lent, ring: Ring, rule: Mapping[str, Any], of: UUID | None) -> Any:
        """Return a rule as it is stored; raise InvalidInput. Segments are locked: none is changed under it."""
        known = await self._audiences.vocabulary(ring.account_id, rule, connection)
        read_rule(rule, known, "/rule", of=of)
        return hide_values(rule, known.definitions, ring, self._random)


def _check_name(name: str) -> None:
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        fault = Fault("/name", "bad-name", f"1 to {MAX_NAME} printable characters")
        raise InvalidInput("The segment needs a name", [fault])


def _segment(row: asyncpg.Record | None, ring: Ring) -> Segment:
    if row is None:
        raise NotFound("No such segment")
    rule = show_values(row["rule"], ring)
    return Segment(row["segment_id"], row["name"], rule, row["revision"], row["created_at"])
