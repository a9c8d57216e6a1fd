"""Suspends a campaign's run for a time: it pauses, and the scheduler's sweep resumes it when the time is over."""

from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql

SQL = sql.load(__package__ or "", "suspension.sql")

Runner = asyncpg.Pool | asyncpg.Connection | PoolConnectionProxy


async def suspend_run(main: Runner, run_id: UUID, seconds: float, reason: str) -> bool:
    """Have a run begin nothing more for `seconds`; False if it is not under way, or a person has paused it.

    One that is suspended already stays so at least that long. `reason` stands on the run's record, in plain words.
    May be repeated after a lost answer.
    """
    return await main.fetchval(SQL["suspend_run"], run_id, float(seconds), reason) is not None
