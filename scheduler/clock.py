"""When to look: APScheduler as a clock on every node, and nothing more. The only file that knows it.

A tick is a hint; what is due is decided in the database, so a tick too many does nothing and a tick that is missed is
made up for by the next. APScheduler's loop can end silently on an exception of its own (its issue 1132), so whoever
waits here watches it: no tick for 2 s, and it is started anew.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, timedelta
from enum import Enum, auto
from typing import Self

from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from core import logs
from core.clock import Clock
from scheduler.meters import CLOCK_RESTARTS

log = logs.get()

BEAT_SECONDS = 0.25
PATIENCE_SECONDS = 2.0
_LAG = timedelta(milliseconds=1)


class Tick(Enum):
    """What it is time for."""

    SWEEP = auto()
    START = auto()
    """The exact time of a run: only its start is urgent."""


class Ticks:
    """Ticks every `beat` seconds, and at the times that it was told of. Use as an async context manager."""

    def __init__(self, clock: Clock, *, beat: float = BEAT_SECONDS, patience: float = PATIENCE_SECONDS) -> None:
        self._clock = clock
        self._beat = beat
        self._patience = patience
        self._due: set[Tick] = set()
        self._event = asyncio.Event()
        self._scheduler: AsyncIOScheduler | None = None

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end()

    async def wait(self) -> Tick:
        """Return at the next tick, or after `patience` seconds without one, with the clock started anew."""
        try:
            async with asyncio.timeout(self._patience):
                await self._event.wait()
        except TimeoutError:
            CLOCK_RESTARTS.inc()
            log.warning("clock_restarted")
            await self._end()
            self._start()
            return Tick.SWEEP
        tick = Tick.SWEEP if Tick.SWEEP in self._due else Tick.START
        self._due.discard(tick)
        if not self._due:
            self._event.clear()
        return tick

    def expect(self, waits: Iterable[float]) -> None:
        """Tick for a start in each of these numbers of seconds as well. Telling it again does no harm."""
        if self._scheduler is None:
            return
        for wait in waits:
            # A moment later than exact: a hint that comes too early finds nothing due.
            at = self._clock.now() + timedelta(seconds=wait) + _LAG
            self._scheduler.add_job(
                self._tick,
                "date",
                run_date=at,
                args=(Tick.START,),
                # The same time told twice differs by what its telling took.
                id=f"start {at.timestamp():.1f}",
                replace_existing=True,
            )

    def wake(self) -> None:
        """Tick now."""
        self._due.add(Tick.SWEEP)
        self._event.set()

    async def _tick(self, tick: Tick) -> None:
        # A coroutine, since APScheduler runs plain functions in threads.
        self._due.add(tick)
        self._event.set()

    def _start(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )
        self._scheduler.add_job(self._tick, "interval", seconds=self._beat, args=(Tick.SWEEP,), id="sweep")
        self._scheduler.start()

    async def _end(self) -> None:
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None and scheduler.running:
            scheduler.shutdown(wait=False)
            # It shuts down in a callback of the loop.
            await asyncio.sleep(0)
