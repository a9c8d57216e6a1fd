"""Notices that leave in the transaction that caused them: what was done is told, what was rolled back never is.

The table is insert-only. A notice's id is made before its transaction commits, so one that comes a moment later may
have the earlier id: who follows by ids alone looks back a little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql

SQL = sql.load(__package__ or "", "outbox.sql")

KEPT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notice: the kind of id that its subject has, what has happened, whether `GET /v1/notices` lists it.

    What is not listed is told only where a webhook asks for it.
    """

    subject: str
    means: str
    listed: bool = False


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "campaign.stopped": Kind("cmp", "A campaign paused by itself over hard bounces or complaints", listed=True),
        "run.miscounted": Kind("run", "A run's figures disagree with its rows: see the laws it names", listed=True),
        "run.started": Kind("run", "A campaign's run has begun"),
        "run.paused": Kind("run", "A run is paused, and nothing of it is under way"),
        "run.resumed": Kind("run", "A paused run goes on"),
        "run.finished": Kind("run", "A run has nothing left to do"),
        "run.cancelled": Kind("run", "A run is cancelled, and nothing of it is under way"),
        "member.unsubscribed": Kind("mem", "A member left all mail"),
        "member.bounced": Kind("mem", "A member's address does not exist"),
        "member.complained": Kind("mem", "A member complained of a mail"),
        "member.suppressed": Kind("mem", "A member was suppressed by hand"),
        "member.erased": Kind("mem", "A member was erased"),
    }
)
"""What there is to tell of."""

_LISTED = [kind for kind, about in KINDS.items() if about.listed]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to `subject_id`: `kind` says to what kind of thing and what, as in campaign.stopped.

    `payload` is JSON with ids as they are shown and figures, and nothing personal.
    """

    event_id: UUID
    kind: str
    subject_id: UUID
    payload: Mapping[str, Any]
    created_at: datetime


async def tell(
    connection: asyncpg.Connection | PoolConnectionProxy,
    *,
    event_id: UUID,
    account_id: UUID,
    kind: str,
    subject_id: UUID,
    payload: Mapping[str, Any],
) -> None:
    """Add a notice to the transaction that is open on `connection`; ValueError if none is."""
    if not connection.is_in_transaction():
        raise ValueError("A notice leaves in the transaction that caused it")
    await connection.execute(SQL["tell"], event_id, account_id, kind, subject_id, payload)


class NoticeStore:
    """Reads an account's notices."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def newest(self, account_id: UUID, *, before: UUID | None = None, limit: int = 50) -> Sequence[Notice]:
        """Return at most `limit` notices, newest first, from the one that stands before `before`."""
        return [Notice(**row) for row in await self._main.fetch(SQL["newest"], account_id, before, limit, _LISTED)]

    async def following(self, account_id: UUID, after: UUID, *, limit: int = 50) -> Sequence[Notice]:
        """Return at most `limit` notices that came after `after`, oldest first."""
        return [Notice(**row) for row in await self._main.fetch(SQL["following"], account_id, after, limit, _LISTED)]


async def forget(main: asyncpg.Pool) -> None:
    """Delete notices that are older than 30 days."""
    await main.execute(SQL["forget"], KEPT_DAYS)
