"""Answers tests of sealed attributes: streams a range of members, opens each once, asks all predicates of it.

The rows come as one binary COPY, at the pace at which they are opened: a block of it, a thousand members, lies in
memory at a time, and between two blocks all else that the process does has its turn. A member that can't be opened
(altered, moved, its key gone) is in the set `UNREADABLE` and counted; the scan goes on.
"""

from collections.abc import Sequence
from struct import Struct
from uuid import UUID

import orjson

from core import sql
from members.binary_copy import HEADER, field, fields, length
from members.connection import Lent
from members.keyring import KeyRings
from members.opener import Opener
from members.rules.plan import UNREADABLE
from members.rules.predicate import Predicate, predicate, traces
from members.rules.tree import AnyOf, Rule
from members.vault import UNREADABLE as UNREADABLE_COUNT
from members.vault import ring_for

SQL = sql.load(__package__ or "", "scan.sql")

SET_COLUMNS = ("member_id", "number")
SAME = fields(len(SET_COLUMNS)) + length(16)
"""What each row that a scan finds begins with, in binary COPY."""

_NUMBER = Struct(">h")


async def scan(
    connection: Lent,
    rings: KeyRings,
    account_id: UUID,
    after: UUID | None,
    end: UUID,
    may: str | None,
    asked: Sequence[tuple[int, Rule]],
) -> list[bytes]:
    """Return a row of (member, set) for each of the numbered rules in `asked` that a member of the range meets.

    A row is written as binary COPY takes it, behind SAME. `connection` is in a transaction that sees one snapshot;
    members whose facets don't meet `may` are passed over.
    """
    question = _Question(asked)
    ring = await rings.ring(account_id)
    opener = ring.opener()
    found: list[bytes] = []
    first = True

    async def take(block: bytes) -> None:
        nonlocal ring, opener, first
        at, first = len(HEADER) if first else 0, False
        met, unreadable = question.ask(block, at, opener)
        if unreadable:
            newest = await ring_for(rings, account_id, set(unreadable.values()))
            if newest is not ring:
                ring, opener = newest, newest.opener()
                met, unreadable = question.ask(block, at, opener)
            UNREADABLE_COUNT.inc(len(unreadable))
        found.extend(met)
        found.extend(member_id + _in_set(UNREADABLE) for member_id in unreadable)

    await connection.execute(SQL["plan_in_order"])
    await connection.copy_from_query(SQL["members"], account_id, after, end, may, output=take, format="binary")
    await connection.execute(SQL["plan_freely"])
    return found


class _Question:
    """The numbered rules that each member is asked."""

    def __init__(self, asked: Sequence[tuple[int, Rule]]) -> None:
        self._predicates: Sequence[tuple[bytes, Predicate]] = [
            (_in_set(number), predicate(rule)) for number, rule in asked
        ]
        self._traces = traces(AnyOf(tuple(rule for _, rule in asked)))

    def ask(self, block: bytes, at: int, opener: Opener) -> tuple[list[bytes], dict[bytes, int]]:
        """Return who of a block of rows from `at` on meets what, and the key's version of each that can't be opened.

        It holds whole rows, as asyncpg joins whole messages.
        """
        met: list[bytes] = []
        unreadable: dict[bytes, int] = {}
        read, predicates = orjson.loads, self._predicates
        for member_id, version, profile in opener.open_rows(block, at, self._traces):
            if profile is None:
                unreadable[member_id] = version
                continue
            values = read(profile)["values"]
            met += [member_id + in_set for in_set, holds in predicates if holds(values)]
        return met, unreadable


def _in_set(number: int) -> bytes:
    """Write a set's number as a row's last field."""
    return field(_NUMBER.pack(number))
