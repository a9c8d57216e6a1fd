"""Tells running campaigns that a member left: the vault knows it already, the queue must know it before it intends."""

from typing import Literal
from uuid import UUID

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "stops.sql")


class StopStore:
    """Writes the main database's `stop`, which every intent asks."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def stop(self, account_id: UUID, member_id: UUID, reason: Literal["unsubscribed", "erased"]) -> None:
        """Have nothing more intended for this member. Idempotent."""
        await self._main.execute(SQL["stop"], account_id, member_id, reason)
