"""Tells running campaigns that a member left: the vault knows it already, the queue must know it before it intends.

A scope is `all` mail or one topic's, as members/scopes.py writes it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from core import sql
from members.scopes import ALL

SQL = sql.load(__package__ or "", "stops.sql")


class StopStore:
    """Writes the main database's `stop`, which every intent asks."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def stop(
        self,
        account_id: UUID,
        member_ids: Sequence[UUID],
        reason: Literal["unsubscribed", "bounced", "complained", "erased", "manual"],
        scopes: Collection[str] = (ALL,),
    ) -> None:
        """Have nothing more intended for these members, of all mail or of some topics'. Idempotent."""
        await self._main.execute(SQL["stop"], account_id, member_ids, reason, list(scopes))

    async def forgive(self, account_id: UUID, member_ids: Sequence[UUID], scope: str = ALL) -> None:
        """Let members be written to again whom the suppression list's keeper let off. Idempotent."""
        await self._main.execute(SQL["forgive"], account_id, member_ids, scope)

    async def lift(
        self, account_id: UUID, member_id: UUID, consented_at: datetime, scopes: Collection[str] = (ALL,)
    ) -> None:
        """Let a member be written to again who left these scopes before `consented_at` (aware). Idempotent."""
        await self._main.execute(SQL["lift"], account_id, member_id, consented_at, list(scopes))
