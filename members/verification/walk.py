"""Streams every account's members through the checks, then looks for rows that belong to nobody.

A page is read in a snapshot of its own and nothing is held in between, so the vault can be checked while it is worked
with: what seems wrong is read once more, with keys and definitions read anew, before it is said.
"""

from collections.abc import AsyncIterator, Callable
from typing import NamedTuple
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound, Tampered
from members.attributes import load_definitions
from members.keyring import KeyRings
from members.verification.checks import Fault, Rules, Stored, faults_of

SQL = sql.load(__package__ or "", "walk.sql")

PAGE = 2_000

_OF_NOBODY = (
    ("keys_of_nobody", Fault.KEY_OF_NOBODY),
    ("index_of_nobody", Fault.INDEX_OF_NOBODY),
    ("addresses_twice", Fault.ADDRESS_TWICE),
)


class Finding(NamedTuple):
    """One thing that is wrong: whose row (`member_id` None: the account's ring), and what."""

    account_id: UUID
    member_id: UUID | None
    fault: Fault


async def verify_members(
    pool: asyncpg.Pool,
    rings: KeyRings,
    *,
    page: int = PAGE,
    seen: Callable[[int, int], None] = lambda _done, _all: None,
) -> AsyncIterator[Finding]:
    """Give out every finding of every account; `seen` is told how many members are done, and of how many.

    Holds one page of members at a time. Raises ConfigurationError if the KEK is not the installation's.
    """
    total: int = await pool.fetchval(SQL["total"])
    done = 0
    for account_id in [row["account_id"] for row in await pool.fetch(SQL["accounts"])]:
        try:
            rules = await _rules(pool, rings, account_id)
        except (NotFound, Tampered):
            yield Finding(account_id, None, Fault.RING_UNREADABLE)
            continue
        after: UUID | None = None
        while rows := await pool.fetch(SQL["page"], account_id, after, page):
            for row in rows:
                if faults_of(_stored(row), rules):
                    rules = await _rules(pool, rings, account_id)
                    for fault in await _looked_at_again(pool, rules, row["member_id"]):
                        yield Finding(account_id, row["member_id"], fault)
            after = rows[-1]["member_id"]
            done += len(rows)
            seen(done, max(done, total))
        async for finding in _rows_of_nobody(pool, account_id):
            yield finding


async def _rules(pool: asyncpg.Pool, rings: KeyRings, account_id: UUID) -> Rules:
    ring = await rings.reload(account_id)
    removed = {row["key"] for row in await pool.fetch(SQL["removed"], account_id)}
    return Rules(ring, await load_definitions(pool, account_id), removed)


async def _looked_at_again(pool: asyncpg.Pool, rules: Rules, member_id: UUID) -> list[Fault]:
    """Return what is still wrong with a member; nothing if it is gone by now."""
    row = await pool.fetchrow(SQL["again"], rules.ring.account_id, member_id)
    return [] if row is None else faults_of(_stored(row), rules)


async def _rows_of_nobody(pool: asyncpg.Pool, account_id: UUID) -> AsyncIterator[Finding]:
    for statement, fault in _OF_NOBODY:
        async with pool.acquire() as connection, connection.transaction(readonly=True):
            await connection.execute(SQL["without_time_limit"])
            async for row in connection.cursor(SQL[statement], account_id):
                yield Finding(account_id, row["member_id"], fault)


def _stored(row: asyncpg.Record) -> Stored:
    return Stored(
        member_id=row["member_id"],
        sealed=row["sealed"],
        facets=row["facets"],
        tag=row["tag"],
        suppression_hash=row["suppression_hash"],
        generation=row["generation"],
        ring_version=row["ring_version"],
        wrapped=row["wrapped"],
        index=list(zip(row["versions"] or (), row["digests"] or (), strict=True)),
    )
