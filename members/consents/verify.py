"""Proves the ledger: recomputes every record and link, streamed, and names the links that are not as they were written.

What can be found from the tables alone: a record or link that was altered, added, removed or put elsewhere, and a head
that does not fit its chain. Who may write all tables can write a whole chain anew, or cut its end off with the head: so
note heads elsewhere, and give them back as `expected`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from members.consents import chain
from members.consents.ledger import CONTENT

SQL = sql.load(__package__ or "", "verify.sql")

SOONEST_EXPIRY = timedelta(days=31)
"""No record's content expires before, whatever is asked (app.expire_consents)."""
MOST_BREACHES = 100
"""How many of an account are named; all are counted."""

_PREFETCH = 2_000
_LONGEST_SORT = 3_600.0
_CONTENT = ("member_id", *CONTENT)


class Head(NamedTuple):
    """Where a chain stands: the number of its last link, and that link's hash."""

    no: int
    hash: bytes

    def __str__(self) -> str:
        """Return it as it is noted down."""
        return f"{self.no}:{self.hash.hex()}"


START = Head(0, chain.START)


class Breach(NamedTuple):
    """Something that is not as it was written. `no`: the link, None for records that no link knows."""

    no: int | None
    what: str


@dataclass(slots=True)
class Checked:
    """What was found of one account."""

    account_id: UUID
    head: Head = START
    records: int = 0
    expired: int = 0
    broken: int = 0
    breaches: list[Breach] = field(default_factory=list)

    def say(self, no: int | None, what: str) -> None:
        """Note a breach."""
        self.broken += 1
        if len(self.breaches) < MOST_BREACHES:
            self.breaches.append(Breach(no, what))


async def verify(
    pool: asyncpg.Pool,
    expected: Mapping[UUID, Head] | None = None,
    progress: Callable[[int], None] = lambda _records: None,
) -> AsyncIterator[Checked]:
    """Check every account's chain and give out what was found of each, in the order of their ids.

    All of it is of one moment. `expected`: heads that were noted earlier; a chain that does not hold one any more was
    cut or written anew. `progress` is told how many records were read, now and then. Memory is bounded.
    """
    waiting = dict(expected or {})
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(SQL["without_time_limit"])
        now = await connection.fetchval(SQL["now"])
        links, records, heads = [
            await _Rows.of(connection, SQL[name], progress if name == "records" else None)
            for name in ("links", "records", "heads")
        ]
        while accounts := [rows.account_id for rows in (links, records, heads) if rows.account_id is not None]:
            account_id = min(accounts)
            checked = Checked(account_id)
            await _check(checked, links, records, waiting.pop(account_id, None), now)
            await _check_head(checked, heads)
            yield checked
    for account_id, head in waiting.items():
        checked = Checked(account_id)
        checked.say(head.no, "the chain that was noted is not there")
        yield checked


async def _check(checked: Checked, links: "_Rows", records: "_Rows", noted: Head | None, now: datetime) -> None:
    while links.account_id == checked.account_id:
        link = await links.take()
        no = link["no"]
        if no != checked.head.no + 1:
            checked.say(checked.head.no + 1, f"links are missing before {no}")
        if link["previous"] != checked.head.hash:
            checked.say(no, "the link does not follow the one before")
        content = (link[name] for name in ("no", "batch", "records", "digest", "previous", "at"))
        if chain.link_hash(checked.account_id, *content) != link["hash"]:
            checked.say(no, "the link was altered")
        hashes = []
        while records.account_id == checked.account_id and records.no == no:
            record = await records.take()
            hashes.append(_hash_of(checked, record, no, now - link["at"]))
        count, digest = len(hashes), sha256(b"".join(sorted(hashes))).digest()
        if count != link["records"] or digest != link["digest"]:
            checked.say(no, f"its records are not those that were written: {link['records']} then, {count} now")
        checked.head = Head(no, link["hash"])
        if noted is not None and noted.no == no and noted.hash != link["hash"]:
            checked.say(no, "the link is not the one that was noted")
    while records.account_id == checked.account_id:
        await records.take()
        checked.say(None, "a record that no link knows")
    if noted is not None and noted.no > checked.head.no:
        checked.say(noted.no, f"the link that was noted is gone: the chain ends at {checked.head.no}")


async def _check_head(checked: Checked, heads: "_Rows") -> None:
    head = await heads.take() if heads.account_id == checked.account_id else None
    if (Head(head["no"], head["hash"]) if head else START) != checked.head:
        checked.say(checked.head.no, "the chain's end is not its head")


def _hash_of(checked: Checked, record: asyncpg.Record, no: int, age: timedelta) -> bytes:
    """Return what a record is known by: of its content, or kept of it when that expired."""
    checked.records += 1
    kept: bytes | None = record["kept"]
    if kept is None:
        try:
            return chain.record_hash(checked.account_id, *(record[name] for name in _CONTENT))
        except (AttributeError, TypeError):
            # Content is missing where a record is not expired.
            return b""
    checked.expired += 1
    if any(record[name] is not None for name in _CONTENT):
        checked.say(no, "a record that expired has content")
    elif age < SOONEST_EXPIRY:
        checked.say(no, "a record's content was removed before its time")
    return kept


class _Rows:
    """A cursor that shows which account its next row is of, before the row is taken."""

    def __init__(self, rows: AsyncIterator[asyncpg.Record], progress: Callable[[int], None] | None) -> None:
        self._rows = rows
        self._progress = progress
        self._next: asyncpg.Record | None = None
        self._taken = 0

    @classmethod
    async def of(
        cls, connection: PoolConnectionProxy, statement: str, progress: Callable[[int], None] | None
    ) -> "_Rows":
        rows = cls(aiter(connection.cursor(statement, prefetch=_PREFETCH, timeout=_LONGEST_SORT)), progress)
        rows._next = await anext(rows._rows, None)
        return rows

    @property
    def account_id(self) -> UUID | None:
        """The account of the next row, None at the end."""
        return None if self._next is None else self._next["account_id"]

    @property
    def no(self) -> int | None:
        """The link of the next row."""
        return None if self._next is None else self._next["no"]

    async def take(self) -> asyncpg.Record:
        """Return the next row, which must be there, and look at the one after it."""
        row = self._next
        if row is None:
            raise LookupError
        self._next = await anext(self._rows, None)
        self._taken += 1
        if self._progress is not None and not self._taken % 10_000:
            self._progress(self._taken)
        return row
