"""Why the readers of a campaign left, as those of them said who did: a word of a closed list each, or none."""

from collections.abc import Mapping
from uuid import UUID

import asyncpg

from core import sql
from tracking.leaving import WHYS, Why

SQL = sql.load(__package__ or "", "why_left.sql")


class WhyLeft:
    """The reasons that the page about leaving was given (tracking/leaving.py)."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def by_reason(self, account_id: UUID, campaign_id: UUID) -> Mapping[Why, int]:
        """Return how many recipients gave each reason, in all runs of a campaign but its tests."""
        rows = await self._main.fetch(SQL["by_reason"], account_id, campaign_id)
        counted = {row["reason"]: row["recipients"] for row in rows}
        return {why: counted.get(why, 0) for why in WHYS}
