"""Answers tests of sealed attributes: streams a range of members, opens each once, asks all predicates of it.

Pages are read ahead by one, so that Postgres fetches the next while this one is opened. A member that can't be opened
(altered, moved, its key gone) is in the set `UNREADABLE` and counted; the scan goes on. Between two pages all else that
the process does has its turn.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Tampered
from members.connection import Lent
from members.keyring import KeyRings, Ring
from members.rules.plan import UNREADABLE
from members.rules.predicate import Predicate, predicate
from members.rules.tree import Rule
from members.vault import UNREADABLE as UNREADABLE_COUNT
from members.vault import open_profile, ring_for

SQL = sql.load(__package__ or "", "scan.sql")

PAGE = 2_000
"""Members opened before anything else has its turn: some 15 ms."""


async def scan(
    connection: Lent,
    rings: KeyRings,
    account_id: UUID,
    after: UUID | None,
    end: UUID,
    may: str | None,
    asked: Sequence[tuple[int, Rule]],
) -> list[tuple[UUID, int]]:
    """Return (member, set) for each of the numbered rules in `asked` that a member of the range meets.

    `connection` is in a transaction that sees one snapshot; members whose facets don't meet `may` are passed over.
    """
    predicates = [(number, predicate(rule)) for number, rule in asked]
    found: list[tuple[UUID, int]] = []

    async def page(last: UUID | None) -> list[asyncpg.Record]:
        return await connection.fetch(SQL["page"], account_id, last, end, may, PAGE)

    rows = await page(after)
    while rows:
        ring = await ring_for(rings, account_id, {row["ring_version"] for row in rows})
        following = asyncio.create_task(page(rows[-1]["member_id"])) if len(rows) == PAGE else None
        try:
            await asyncio.sleep(0)  # sends the next page's request
            found += _met(rows, ring, predicates)
            rows = await following if following else []
        finally:
            if following:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
    return found


def _met(
    rows: Sequence[asyncpg.Record], ring: Ring, predicates: Sequence[tuple[int, Predicate]]
) -> list[tuple[UUID, int]]:
    account, found = ring.account_id.bytes, []
    for member_id, sealed, ring_version, wrapped in rows:
        try:
            _, values = open_profile(ring, account, member_id.bytes, sealed, ring_version, wrapped)
        except Tampered:
            UNREADABLE_COUNT.inc()
            found.append((member_id, UNREADABLE))
            continue
        found += [(member_id, number) for number, holds in predicates if holds(values)]
    return found
