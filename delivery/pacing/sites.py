"""The numbers that sources and sites go by in the database, and at which site the domain of a tag was found.

The database names no site: it knows it by a keyed digest, and a domain by its tag.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg

from core import sql
from core.database import with_retry

SQL = sql.load(__package__ or "", "sites.sql")


class Sites:
    """Numbers are given at first use and never change."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def source(self, name: str) -> int:
        """Return the number of the source of this name (1 to 100 characters)."""

        async def find() -> int | None:
            found: int | None = await self._main.fetchval(SQL["source"], name)
            return found if found is not None else await self._main.fetchval(SQL["add_source"], name)

        return await _found(find, what="number_source")

    async def number(self, digest: bytes, provider: str | None) -> int:
        """Return the number of the site of this digest (16 bytes); `provider` is its name in the rule file."""

        async def find() -> int | None:
            row = await self._main.fetchrow(SQL["site"], digest)
            if row is None:
                added: int | None = await self._main.fetchval(SQL["add_site"], digest, provider)
                return added
            if row["provider"] != provider:
                await self._main.execute(SQL["name_provider"], row["site_id"], provider)
            number: int = row["site_id"]
            return number

        return await _found(find, what="number_site")

    async def remember(self, found: Mapping[int, int]) -> None:
        """Write down at which site each tag's domain was found just now. Raises what `AWAY` lists."""
        if found:
            await self._main.execute(SQL["remember"], list(found), list(found.values()))

    async def of_tags(self, tags: Sequence[int]) -> dict[int, int]:
        """Return the sites of those tags whose domains any worker has found. Raises what `AWAY` lists."""
        rows = await self._main.fetch(SQL["of_tags"], list(tags)) if tags else []
        return {row["tag"]: row["site_id"] for row in rows}


async def _found(find: Callable[[], Awaitable[int | None]], *, what: str) -> int:
    """Find or add; where another adds the same at the same time, the second look finds it."""
    while True:
        number = await with_retry(find, what=what)
        if number is not None:
            return number
