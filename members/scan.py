"""Answers tests of sealed attributes: streams a range of members, opens each once, asks all predicates of it.

The rows come as one binary COPY, at the pace at which they are opened: a block of it, a few hundred members, lies in
memory at a time, and between two blocks all else that the process does has its turn. A member that can't be opened
(altered, moved, its key gone) is in the set `UNREADABLE` and counted; the scan goes on.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from struct import Struct
from typing import TypeAlias
from uuid import UUID

import orjson
from asyncpg.pgproto.pgproto import UUID as PgUUID  # noqa: N811 - asyncpg's own is made at a tenth of the cost

from core import sql
from core.errors import Tampered
from members.binary_copy import HEADER, TRAILER
from members.connection import Lent
from members.keyring import KeyRings
from members.opener import Opener
from members.rules.plan import UNREADABLE
from members.rules.predicate import Predicate, predicate, traces
from members.rules.tree import AnyOf, Rule
from members.vault import UNREADABLE as UNREADABLE_COUNT
from members.vault import ring_for

SQL = sql.load(__package__ or "", "scan.sql")

# Of a row: number of fields; length and bytes of member_id, of ring_version; length of wrapped.
_HEAD = Struct(">hi16siii")
_LENGTH = Struct(">i")


Row: TypeAlias = tuple[bytes, int, bytes, bytes]
"""A member's id (16 bytes), the ring version of its key, the wrapped key, the sealed profile."""


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
    wanted = traces(AnyOf(tuple(rule for _, rule in asked)))
    ring = await rings.ring(account_id)
    opener = ring.opener()
    found: list[tuple[UUID, int]] = []
    first = True

    async def take(block: bytes) -> None:
        nonlocal ring, opener, first
        rows = list(_rows(bytes(block), len(HEADER) if first else 0))
        first = False
        newest = await ring_for(rings, account_id, {version for _, version, _, _ in rows})
        if newest is not ring:
            ring, opener = newest, newest.opener()
        found.extend(_met(rows, opener, wanted, predicates))

    await connection.execute(SQL["plan_in_order"])
    await connection.copy_from_query(SQL["members"], account_id, after, end, may, output=take, format="binary")
    await connection.execute(SQL["plan_freely"])
    return found


def _rows(block: bytes, at: int) -> Iterator[Row]:
    """Read the rows of a block of binary COPY from `at` on; it holds whole ones, as asyncpg joins whole messages."""
    end = len(block) - len(TRAILER)
    while at < end:
        _, _, member_id, _, version, length = _HEAD.unpack_from(block, at)
        wrapped_at = at + _HEAD.size
        sealed_at = wrapped_at + length + _LENGTH.size
        at = sealed_at + _LENGTH.unpack_from(block, wrapped_at + length)[0]
        yield member_id, version, block[wrapped_at : wrapped_at + length], block[sealed_at:at]


def _met(
    rows: Sequence[Row],
    opener: Opener,
    wanted: Collection[bytes] | None,
    predicates: Sequence[tuple[int, Predicate]],
) -> Iterator[tuple[UUID, int]]:
    open_bytes, read, may = opener.open_bytes, orjson.loads, _finder(wanted)
    for member_id, version, wrapped, sealed in rows:
        try:
            profile = open_bytes(member_id, sealed, version, wrapped)
        except Tampered:
            UNREADABLE_COUNT.inc()
            yield PgUUID(member_id), UNREADABLE
            continue
        if may is None or may(profile):
            values = read(profile)["values"]
            for number, holds in predicates:
                if holds(values):
                    yield PgUUID(member_id), number


def _finder(wanted: Collection[bytes] | None) -> Callable[[bytes], bool] | None:
    """Return what tells whether one of these, at most two, stands in a profile (`traces`)."""
    if wanted is None:
        return None
    one, *others = wanted
    if not others:
        return lambda profile: one in profile
    (other,) = others
    return lambda profile: one in profile or other in profile
