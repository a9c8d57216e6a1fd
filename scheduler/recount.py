"""Counts anew, once a night, what reports say of the runs of the last days, and tells of each that disagrees.

The laws are those of `todoku verify`. Every scheduler does it; a run that breaks a law is told each night until it is
put right, by a notice and in the metrics. A scheduler that dies in between begins again if the hour has not passed.
"""

from datetime import date
from uuid import UUID

import asyncpg

from core import logs, outbox, sql
from core.clock import Clock
from core.ids import IdSource
from scheduler.meters import MISCOUNTED, RECOUNTED
from tracking.verify import RunCheck, verify

SQL = sql.load(__package__ or "", "recount.sql")

MISCOUNT = "run.miscounted"

log = logs.get()


class Recount:
    """One scheduler's nightly count: in the hour `hour` (UTC), of runs that started within `days`."""

    def __init__(self, main: asyncpg.Pool, clock: Clock, new_id: IdSource, *, hour: int, days: int) -> None:
        self._main = main
        self._clock = clock
        self._new_id = new_id
        self._hour = hour
        self._days = days
        self._done: date | None = None

    async def if_due(self) -> int | None:
        """Count if it is the hour and was not done in it; return how many runs disagree, or None."""
        now = self._clock.now()
        if now.hour != self._hour or self._done == now.date():
            return None
        wrong = await self.count()
        self._done = now.date()
        return wrong

    async def count(self) -> int:
        """Count now; return how many runs disagree."""
        runs = await self._main.fetch(SQL["runs"], self._days)
        wrong = 0
        for run in runs:
            [check] = await verify(self._main, run["run_id"])
            if not check.ok:
                wrong += 1
                await self._tell(run["account_id"], check)
        RECOUNTED.set(len(runs))
        MISCOUNTED.set(wrong)
        return wrong

    async def _tell(self, account_id: UUID, check: RunCheck) -> None:
        laws = {fault.law: fault.count for fault in check.faults}
        log.error("run_miscounted", run=str(check.run_id), laws=laws)
        async with self._main.acquire() as connection, connection.transaction():
            await outbox.tell(
                connection,
                event_id=self._new_id(),
                account_id=account_id,
                kind=MISCOUNT,
                subject_id=check.run_id,
                payload={"laws": laws},
            )
