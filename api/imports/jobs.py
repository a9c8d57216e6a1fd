"""Hands an import on to the workers of the pool `jobs`; scheduler/jobs.py takes it from there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg

from core import sql
from core.ids import IdSource

SQL = sql.load(__package__ or "", "jobs.sql")


class ImportJobs:
    """Jobs of kind `import`, in the main database."""

    def __init__(self, main: asyncpg.Pool, new_id: IdSource) -> None:
        self._main = main
        self._new_id = new_id

    @asynccontextmanager
    async def due_after(self, account_id: UUID, import_id: UUID) -> AsyncIterator[None]:
        """Make the import's job due once the block has submitted its file; drop it if the block fails.

        The two databases share no transaction: a job without a file does nothing, a file without a job would wait for
        ever. So the job comes first.
        """
        job_id = self._new_id()
        await self._main.execute(SQL["prepare"], job_id, account_id, import_id)
        try:
            yield
        except Exception:
            await self._main.execute(SQL["drop"], job_id)
            raise
        await self._main.execute(SQL["release"], job_id)
