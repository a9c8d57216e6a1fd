"""What one member was sent and what came of it, newest first: for the member's timeline and own export.

Read run by run of the account, page by page, so that it costs no more memory for a member of many years.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound

SQL = sql.load(__package__ or "", "mails.sql")

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail that was sent or left out, a campaign's or (then without one) a letter.

    `outcome`: of its last try, null if none ended; `omitted`: why it was not sent.

    `events`: opens, clicks and unsubscribes, at most 1,000, as `{"kind", "link", "at"}`.
    """

    run_id: UUID
    campaign_id: UUID | None
    campaign: str
    starts_at: datetime
    outcome: str | None
    at: datetime | None
    omitted: str | None
    events: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Sent:
    """A mail as it was frozen for all its recipients, and by which audience (as the campaign names it) they were."""

    seq: int
    campaign: str
    audience: Mapping[str, Any]
    starts_at: datetime
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class File:
    """A file that went along with a mail."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Stop:
    """What ended mail to a member, and whether a later consent lifted it."""

    scope: str
    reason: str
    occurred_at: datetime
    lifted_at: datetime | None


class MailStore:
    """Mails by account and member."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def stops(self, account_id: UUID, member_id: UUID) -> list[Stop]:
        """Return the member's stops, oldest first."""
        return [Stop(**row) for row in await self._main.fetch(SQL["stops"], account_id, member_id)]

    async def page(
        self, account_id: UUID, member_id: UUID, *, before: UUID | None = None, limit: int = 50
    ) -> list[Mail]:
        """Return at most `limit` of the member's mails, of the runs that were scheduled before the run `before`."""
        return [Mail(**row) for row in await self._main.fetch(SQL["page"], account_id, member_id, before, limit)]

    async def sent_to(self, account_id: UUID, member_id: UUID, run_id: UUID) -> Sent:
        """Return what a run sent to the member; raise NotFound for who was not among its recipients."""
        row = await self._main.fetchrow(SQL["sent_to"], account_id, member_id, run_id)
        if row is None:
            raise NotFound("There is no such mail")
        return Sent(**row)

    async def called(
        self, account_id: UUID, member_id: UUID, run_ids: Sequence[UUID]
    ) -> Mapping[UUID, Mapping[str, Any]]:
        """Return by run what was sent to the member, without its HTML and text: enough to say what it was called."""
        rows = await self._main.fetch(SQL["subjects"], account_id, member_id, list(run_ids))
        return {row["run_id"]: row["body"] for row in rows}

    async def file(self, run_id: UUID, seq: int, place: int) -> File:
        """Return the file at a place (from 0) of a delivery's attachments; raise NotFound."""
        row = await self._main.fetchrow(SQL["file"], run_id, seq, place)
        if row is None:
            raise NotFound("There is no such file")
        return File(**row)

    async def sent(self, account_id: UUID, member_id: UUID) -> AsyncIterator[Mail]:
        """Give out all of the member's mails."""
        before = None
        while mails := await self.page(account_id, member_id, before=before, limit=_PAGE):
            for mail in mails:
                yield mail
            before = mails[-1].run_id
