"""Engagement: who was sent, opened and clicked what, for segments; and each member's last open and click, folded.

Only what a person did counts: a proxy that loads every mail's images would make everybody engaged. So an open is known
to segments once it is settled (tracking/machines/settlement.py), which adds a delta; housekeeping folds those into one
row a member.
"""

from collections.abc import Collection
from uuid import UUID

import asyncpg

from core import sql
from members.engagement import Sink
from members.rules.tree import LastSeen, Mailed

SQL = sql.load(__package__ or "", "engagement.sql")

FOLD_ROWS = 10_000
_NONE = UUID(int=0)


class MemberEngagement:
    """What the main database tells the vault's segments (members/engagement.py)."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def campaigns(self, account_id: UUID, campaign_ids: Collection[UUID]) -> set[UUID]:
        """Return those of the ids that are campaigns of the account."""
        rows = await self._main.fetch(SQL["campaigns"], account_id, list(campaign_ids))
        return {row["campaign_id"] for row in rows}

    async def copy(
        self, account_id: UUID, asked: Mailed | LastSeen, number: int, after: UUID | None, upto: UUID, sink: Sink
    ) -> None:
        """Write rows (member_id uuid, `number` smallint) of all who meet `asked`, after `after` and up to `upto`."""
        span = (account_id, after or _NONE, upto, number)
        statement, rest = _question(asked)
        async with self._main.acquire() as connection:
            await connection.copy_from_query(statement, *span, *rest, output=sink, format="binary")


async def fold(main: asyncpg.Pool, rows: int = FOLD_ROWS) -> int:
    """Fold at most `rows` deltas into their members' rows; return how many."""
    folded: int = await main.fetchval(SQL["fold"], rows)
    return folded


def _question(asked: Mailed | LastSeen) -> tuple[str, tuple[object, ...]]:
    """Return the statement and what it takes beside the span."""
    match asked:
        case Mailed("received", campaign_id):
            return SQL["received"], (campaign_id,)
        case Mailed("opened", campaign_id):
            return SQL["did"], (campaign_id, "human_open")
        case Mailed(_, campaign_id):
            return SQL["did"], (campaign_id, "human_click")
        case LastSeen("last_open"):
            return SQL["last_open"], (asked.after, asked.before)
        case LastSeen():
            return SQL["last_click"], (asked.after, asked.before)
