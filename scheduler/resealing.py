"""Hands the re-sealing of an account to the workers of the pool `jobs`, who share it (members/resealing does it)."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "resealing.sql")

_LATER = 60.0
_MOST_WORKERS = 8
"""So many share one account; Postgres has no more to do then than it can."""


@dataclass(frozen=True, slots=True)
class ResealJob:
    """The newest job of an account: ready, leased, done, failed; and what was wrong with it at last."""

    state: str
    error: str | None


class ResealJobs:
    """Jobs of kind `reseal`, in the main database."""

    def __init__(self, main: asyncpg.Pool, new_id: Callable[[], UUID]) -> None:
        self._main = main
        self._new_id = new_id

    async def ask(self, account_id: UUID) -> None:
        """Have the account re-sealed, from now on."""
        await self._ask(account_id, 0.0)
        await self._main.execute(SQL["release"], account_id)

    @asynccontextmanager
    async def due_after(self, account_id: UUID) -> AsyncIterator[None]:
        """Have the account re-sealed once the block has changed what makes it necessary.

        The two databases share no transaction. So the job comes first, due in a minute: if we die in between it still
        comes, and one that finds nothing to do does nothing.
        """
        await self._ask(account_id, _LATER)
        yield
        await self._main.execute(SQL["release"], account_id)

    async def _ask(self, account_id: UUID, seconds: float) -> None:
        await self._main.execute(SQL["ask"], [self._new_id() for _ in range(_MOST_WORKERS)], account_id, seconds)

    async def latest(self, account_id: UUID) -> ResealJob | None:
        """Return the account's newest job, or one that is not over, None if it never had one."""
        row = await self._main.fetchrow(SQL["latest"], account_id)
        return None if row is None else ResealJob(row["state"], row["error"])
