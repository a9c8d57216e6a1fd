"""The feed of raw events: followed from a place, nothing missed and nothing twice, as they were stored.

Each event takes a place in its transaction, and transactions end in another order than they took places. So a reader is
shown places only up to where nothing more can appear: housekeeping marks the last place, and once every transaction of
that moment has ended, all up to the mark is safe. That takes a second or two; a transaction that stays open (a
`todoku verify` of many millions) holds the feed up, and loses nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Gone
from tracking.machines.rules import Label

SQL = sql.load(__package__ or "", "feed.sql")

LEAST_WINDOW = 500
WINDOWS = 14
"""Windows of places that one page looks through: the first as wide as the page, each next one twice as wide."""


FedKind = Literal["open", "click", "unsubscribe", "honeypot", "bounce", "complaint"]


@dataclass(frozen=True, slots=True)
class FedEvent:
    """One event. `link` and `url` are a click's, `detail` is a bounce's class.

    `label` and its `rule` are final once the event is settled.
    """

    position: int
    kind: FedKind
    link: int | None
    url: str | None
    occurred_at: datetime
    label: Label
    rule: str | None
    detail: str | None
    run_id: UUID
    campaign_id: UUID
    member_id: UUID


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events in order, and the place to go on from. `up_to_date`: nothing more is there just now."""

    events: Sequence[FedEvent]
    position: int
    up_to_date: bool


async def advance(main: asyncpg.Pool) -> None:
    """Mark the last place, and let readers see what was marked before, if it can't grow any more."""
    async with main.acquire() as connection:
        last = await connection.fetchval(SQL["last_place"])
        await connection.execute(SQL["advance"], last)


class EventFeed:
    """Reads an account's events, those of test sends left out."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def read(
        self, account_id: UUID, *, after: int = 0, kind: FedKind | None = None, limit: int = 500
    ) -> FeedPage:
        """Return at most `limit` events behind the place `after`.

        Raises Gone if what lies between `after` and what is kept was dropped: reading begins anew, from 0.
        Where an account has few among many, a page may be short, or empty, and still not be the last.
        """
        found: list[FedEvent] = []
        async with self._main.acquire() as connection:
            safe = await connection.fetchval(SQL["safe"])
            if 0 < after < await connection.fetchval(SQL["emptied"]):
                raise Gone("Events behind this place are not kept any more: begin anew, without a cursor")
            position, window = after, max(limit, LEAST_WINDOW)
            for _ in range(WINDOWS):
                if position >= safe or len(found) == limit:
                    break
                end = min(position + window, safe)
                rows = await connection.fetch(SQL["page"], account_id, position, end, kind, limit - len(found))
                found += [FedEvent(**row) for row in rows]
                position, window = (end if len(found) < limit else found[-1].position), window * 2
        return FeedPage(found, max(position, after), position >= safe)
