"""What is imposed on sources and sites for a while: by an operator, a response rule, or because nobody answers there.

A restriction is for a source, for a site, or for one source at one site. All that hold for a pair hold together: the
fewest connections, the lowest rate, the latest end. Workers see them at their next ask.
"""

from typing import Literal

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "restrictions.sql")

ImposedBy = Literal["operator", "rule"]


class Restrictions:
    """Over all workers. All calls raise what `AWAY` lists; all but `hit` may be repeated after a lost answer."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def impose(
        self,
        *,
        source_id: int | None,
        site_id: int | None,
        connections: int | None,
        rate: float | None,
        seconds: float,
        reason: str,
        imposed_by: ImposedBy,
        jitter: float = 0.0,
    ) -> None:
        """Restrict a source, a site, or one source at one site; `connections` 0 suspends.

        Imposed again by a rule it lasts as long as either says. An operator's word replaces whatever holds for the very
        same source and site, be it stricter or longer. `jitter` in [0, 1) lengthens it by up to a tenth, so that what
        was restricted together does not return together. ValueError if it restricts nothing or nobody.
        """
        if source_id is None and site_id is None:
            raise ValueError("neither a source nor a site")
        if connections is None and rate is None:
            raise ValueError("neither connections nor a rate")
        target = source_id, site_id
        what = (connections, rate, seconds * (1 + jitter / 10), reason, imposed_by)
        async with self._main.acquire() as connection, connection.transaction():
            if imposed_by == "operator":
                await connection.execute(SQL["supersede"], *target)
            elif await connection.fetchval(SQL["extend"], *target, *what) is not None:
                return
            await connection.execute(SQL["impose"], *target, *what)
            if connections == 0:
                await connection.execute(SQL["suspend"], *target)

    async def lift(self, *, source_id: int | None, site_id: int | None) -> int:
        """Lift all that is imposed on this source, at this site, or on both together; return how many.

        With a source alone that is what holds for it anywhere, with a site alone what holds there for any source. For
        both together, what holds for the source at that site and not what holds for either as a whole. ValueError
        without either.
        """
        if source_id is None and site_id is None:
            raise ValueError("neither a source nor a site")
        return len(await self._main.fetch(SQL["lift"], source_id, site_id))

    async def hit(self, rule: str, source_id: int, site_id: int, times: int) -> bool:
        """Count that a response rule was met; True if that makes it `times` within an hour, over all workers.

        Those counted are forgotten then, so that it acts again only after as many new ones. A hit whose answer was lost
        may have been counted.
        """
        if times <= 1:
            return True
        key = rule, source_id, site_id
        async with self._main.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock_source"], source_id)
            await connection.execute(SQL["count_hit"], *key)
            enough: bool = await connection.fetchval(SQL["hits"], *key) >= times
            await connection.execute(SQL["forget_hits"], *key, enough)
        return enough

    async def forget(self, seconds: float) -> None:
        """Remove restrictions that ended more than `seconds` ago."""
        await self._main.execute(SQL["forget"], float(seconds))
