"""Daily caps of sources (warm-up): how many messages a source may still send today, over all workers.

Failure model. A worker takes a part of the day's cap ahead. What it does not use and can't give back, because it died
or an answer was lost, is lost for that day: the cap may not be reached, and is never passed.
"""

from datetime import date
from typing import NamedTuple

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "caps.sql")


class Reserved(NamedTuple):
    """How many messages may be sent on `day` (UTC); on the next day they may not."""

    day: date
    messages: int


class Caps:
    """Days are those of the database's clock, in UTC. All calls raise what `AWAY` lists."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def reserve(self, source_id: int, cap: int, wanted: int) -> Reserved:
        """Take at most `wanted` messages of what today's `cap` leaves. A cap that was lowered since leaves nothing."""
        while True:
            await self._main.execute(SQL["open_day"], source_id)
            async with self._main.acquire() as connection, connection.transaction():
                today = await connection.fetchrow(SQL["lock_day"], source_id)
                if today is None:
                    continue  # midnight came between
                count = max(0, min(wanted, cap - today["granted"]))
                if count:
                    await connection.execute(SQL["grant"], source_id, today["day"], count)
                return Reserved(today["day"], count)

    async def give_back(self, source_id: int, day: date, count: int) -> None:
        """Bring back what was reserved for `day` and not used. Not to be repeated: it would count twice."""
        if count > 0:
            await self._main.execute(SQL["give_back"], source_id, day, count)
