"""Takes up letters that were asked for and makes runs of them: one a batch, account, kind and language.

Several processes may do so at once: what one has locked the others pass over. A batch is one transaction of the main
database, so that a letter has its run or is still waiting, and none is mailed twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol
from uuid import UUID

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy

from core import logs, sql
from delivery.compose.content import Sender
from scheduler.branding import Branding, BrandingStore
from scheduler.letters.content import language_of, letter_content
from scheduler.letters.kinds import ALLOWED, TO_NEW_ADDRESS, Kind

SQL = sql.load(__package__ or "", "dispatch.sql")

log = logs.get()

BATCH = 1_000


class Reached(Protocol):
    """Where a letter to a member would go (members/reach.py)."""

    @property
    def tag(self) -> int: ...  # noqa: D102
    @property
    def locale(self) -> str | None: ...  # noqa: D102
    @property
    def reason(self) -> str | None: ...  # noqa: D102


class Reach(Protocol):
    """What knows where members' letters go, and what speaks against one."""

    async def of(
        self, account_id: UUID, member_ids: Sequence[UUID], /, *, to_new_address: bool
    ) -> Mapping[UUID, Reached]:
        """Return it of those members that are there."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Letters that make one run, each with the destination of its member."""

    account_id: UUID
    kind: Kind
    language: str
    letters: list[UUID]
    members: list[UUID]
    tags: list[int]


class LetterDispatch:
    """`pages_url` is where letters' links lead."""

    def __init__(self, main: asyncpg.Pool, reach: Reach, *, new_id: Callable[[], UUID], pages_url: str) -> None:
        self._main = main
        self._branding = BrandingStore(main)
        self._reach = reach
        self._new_id = new_id
        self._pages_url = pages_url

    async def once(self) -> int:
        """Take up at most 1,000 letters; return how many were taken up."""
        async with self._main.acquire() as connection, connection.transaction():
            waiting = await connection.fetch(SQL["waiting"], BATCH)
            by_account: dict[UUID, list[asyncpg.Record]] = {}
            for row in waiting:
                by_account.setdefault(row["account_id"], []).append(row)
            for account_id, rows in by_account.items():
                await self._send(connection, account_id, rows)
        return len(waiting)

    async def _send(self, connection: PoolConnectionProxy, account_id: UUID, rows: Sequence[asyncpg.Record]) -> None:
        branding = await self._branding.get(account_id)
        sender = await self._sender(connection, branding)
        if sender is None:
            await self._drop(connection, [(row["letter_id"], "no_sender") for row in rows])
            return
        batches: dict[tuple[Kind, str], _Batch] = {}
        for row, found in await self._allowed(connection, account_id, rows):
            kind, language = Kind(row["kind"]), language_of(row["language"] or found.locale, branding)
            batch = batches.setdefault((kind, language), _Batch(account_id, kind, language, [], [], []))
            # Two letters to one member are two runs: the second goes with the next batch.
            if row["member_id"] not in batch.members:
                batch.letters.append(row["letter_id"])
                batch.members.append(row["member_id"])
                batch.tags.append(found.tag)
        for batch in batches.values():
            await self._make_run(connection, batch, branding, sender)

    async def _allowed(
        self, connection: PoolConnectionProxy, account_id: UUID, rows: Sequence[asyncpg.Record]
    ) -> list[tuple[asyncpg.Record, Reached]]:
        """Return the letters that may be sent; drop the others, with the reason."""
        places: dict[bool, Mapping[UUID, Reached]] = {}
        for new in (False, True):
            members = {row["member_id"] for row in rows if (row["kind"] in TO_NEW_ADDRESS) is new}
            if members:
                places[new] = await self._reach.of(account_id, sorted(members), to_new_address=new)
        kept, dropped = [], []
        for row in rows:
            kind = Kind(row["kind"])
            found = places[kind in TO_NEW_ADDRESS].get(row["member_id"])
            if found is None:
                dropped.append((row["letter_id"], "gone"))
            elif found.reason not in ALLOWED[kind]:
                dropped.append((row["letter_id"], str(found.reason)))
            else:
                kept.append((row, found))
        await self._drop(connection, dropped)
        return kept

    async def _drop(self, connection: PoolConnectionProxy, dropped: Iterable[tuple[UUID, str]]) -> None:
        letters, reasons = [], []
        for letter_id, reason in dropped:
            letters.append(letter_id)
            reasons.append(reason)
        if letters:
            await connection.execute(SQL["drop"], letters, reasons)

    async def _sender(self, connection: PoolConnectionProxy, branding: Branding) -> Sender | None:
        row = await connection.fetchrow(SQL["sender"], branding.account_id, branding.fields.sender_id)
        return None if row is None else Sender(**row)

    async def _make_run(
        self, connection: PoolConnectionProxy, batch: _Batch, branding: Branding, sender: Sender
    ) -> None:
        content = letter_content(batch.kind, batch.language, branding, sender, self._pages_url)
        document = content.to_json()
        digest = sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).digest()
        content_id = await connection.fetchval(SQL["known_content"], batch.account_id, digest)
        if content_id is None:
            content_id = self._new_id()
            await connection.execute(SQL["freeze_content"], content_id, batch.account_id, document)
            await connection.execute(SQL["know_content"], batch.account_id, digest, content_id)
        run_id = self._new_id()
        await connection.execute(
            SQL["make_run"], run_id, batch.account_id, content_id, batch.members, batch.tags, batch.letters
        )
        log.info("letters_sent", run=str(run_id), kind=batch.kind.value, letters=len(batch.letters))
