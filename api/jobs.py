"""Hands on to the workers of the pool `jobs` what takes keys and time; scheduler/jobs.py takes it from there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from uuid import UUID

import asyncpg

from core import sql
from core.ids import IdSource

SQL = sql.load(__package__ or "", "jobs.sql")

Kind = Literal["import", "export", "preview"]


class VaultJobs:
    """Jobs about something that stands in the vault, such as a file; the jobs stand in the main database."""

    def __init__(self, main: asyncpg.Pool, new_id: IdSource) -> None:
        self._main = main
        self._new_id = new_id

    @asynccontextmanager
    async def due_after(self, account_id: UUID, kind: Kind, subject_id: UUID) -> AsyncIterator[None]:
        """Make the job about `subject_id` due once the block has made that ready; drop the job if the block fails.

        The two databases share no transaction: a job without a subject does nothing, a subject without a job would
        wait for ever. So the job comes first.
        """
        job_id = self._new_id()
        await self._main.execute(SQL["prepare"], job_id, account_id, kind, subject_id)
        try:
            yield
        except Exception:
            await self._main.execute(SQL["drop"], job_id)
            raise
        await self._main.execute(SQL["release"], job_id)
