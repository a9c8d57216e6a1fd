"""Takes events in and answers once they are kept: committed, or on disk while Postgres is away.

Events wait in a bounded queue; a batch is written every few milliseconds, whole or not at all, and each waiting
request is answered by its commit.

Failure model. A batch has its id before its first attempt and stores it with its rows, so that a COMMIT whose answer
was lost can be repeated: what is there already is not stored again. A batch that Postgres has not taken within
`patience` seconds goes to the spool (spool.py), synced before anyone is answered, and so do all that follow, until one
from the spool is stored: that is how Postgres is known to be back. Whoever dies in between loses nothing that was
answered: the next process, or another on the same machine, goes on from the spool. Events that find the queue full, or
the spool full or unwritable, are refused with `Unavailable`.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import asyncpg

from core import logs
from core.clock import Clock
from core.errors import NotFound, TodokuError, Unavailable
from tracking import batches, meters
from tracking.batches import MAY_GO_WELL, Batch
from tracking.event import Event
from tracking.replay import Replay
from tracking.spool import Spool

log = logs.get()

T = TypeVar("T")

_FIRST_WAIT = 0.05
_LONGEST_WAIT = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """How batches are made: at most `events` each, begun `seconds` apart; `queue` events wait at the most.

    `patience` is how long, in seconds, a batch is tried before it goes to the spool; while Postgres is away it is tried
    every `probe` seconds whether it is back.
    """

    events: int = 1_000
    seconds: float = 0.010
    queue: int = 10_000
    patience: float = 2.0
    probe: float = 0.5


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: Event
    since: float
    kept: asyncio.Future[Any]
    then: object

    def settle(self, error: TodokuError | None = None) -> None:
        """Answer whoever waits still: a request may have been answered or dropped already."""
        if self.kept.done():
            return
        if error is None:
            self.kept.set_result(self.then)
        else:
            self.kept.set_exception(error)


class Intake:
    """Writes events in batches while it is entered; leaving it writes what waits. For one event loop."""

    def __init__(
        self,
        main: asyncpg.Pool,
        spool: Spool,
        *,
        clock: Clock,
        new_id: Callable[[], UUID],
        pace: Pace | None = None,
    ) -> None:
        self._main = main
        self._clock = clock
        self._new_id = new_id
        self._pace = pace or Pace()
        self._replay = Replay(main, spool, clock=clock, probe=self._pace.probe)
        self._queue: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> Self:
        await self._replay.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._writer = asyncio.create_task(self._write_batches(), name="tracking intake")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            await self._writer
        await self._replay.__aexit__(kind, error, trace)

    @property
    def alive(self) -> bool:
        """Whether events are taken in."""
        return self._writer is not None and not self._writer.done() and not self._closing

    def record(self, event: Event, then: T) -> asyncio.Future[T]:
        """Return what becomes `then` once `event` is kept.

        It raises NotFound if there is no such delivery (which is not known while Postgres is away), Unavailable if the
        event could not be kept. Raises Unavailable at once if too many wait.
        """
        if self._closing or len(self._queue) >= self._pace.queue:
            meters.REFUSED[event.kind].inc()
            raise Unavailable("Too many events wait")
        kept: asyncio.Future[T] = self._loop.create_future()
        self._queue.append(_Waiting(event, self._clock.monotonic(), kept, then))
        self._wake.set()
        return kept

    async def _write_batches(self) -> None:
        began = self._clock.monotonic() - self._pace.seconds
        while True:
            await self._wake.wait()
            if not self._closing:
                # Alone, an event goes at once; under load batches begin `seconds` apart and grow.
                await asyncio.sleep(max(0.0, began + self._pace.seconds - self._clock.monotonic()))
            began = self._clock.monotonic()
            waiting, self._queue = self._queue[: self._pace.events], self._queue[self._pace.events :]
            meters.QUEUED.set(len(self._queue))
            if waiting:
                await self._write(waiting)
            if not self._queue:
                self._wake.clear()
                if self._closing:
                    return

    async def _write(self, waiting: Sequence[_Waiting]) -> None:
        began = self._clock.monotonic()
        now = self._clock.now().timestamp()
        batch = Batch(self._new_id(), [one.event for one in waiting], [now - began + one.since for one in waiting])
        try:
            unknown = await self._keep(batch, began + self._pace.patience)
        except Exception as error:
            # Whatever it was, the writer goes on and nobody waits for ever.
            if not isinstance(error, Unavailable):
                log.exception("events_refused", events=len(waiting))
            for one in waiting:
                meters.REFUSED[one.event.kind].inc()
                one.settle(Unavailable("The event could not be kept"))
            return
        meters.KEEP_SECONDS.observe(self._clock.monotonic() - began)
        meters.BATCH_EVENTS.observe(len(waiting))
        for position in unknown:
            waiting[position].settle(NotFound("No such delivery"))
        for one in waiting:
            one.settle()

    async def _keep(self, batch: Batch, deadline: float) -> set[int]:
        """Commit a batch or have it spooled; return the positions (from 0) that name no delivery."""
        if not self._replay.away:
            with suppress(*MAY_GO_WELL):
                unknown = await self._store(batch, deadline)
                meters.count(Counter(event.kind for n, event in enumerate(batch.events) if n not in unknown))
                return unknown
        await self._replay.spool(batch)
        return set()

    async def _store(self, batch: Batch, deadline: float) -> set[int]:
        wait = _FIRST_WAIT
        while True:
            try:
                async with asyncio.timeout(deadline - self._clock.monotonic()):
                    return await batches.store(self._main, batch, self._clock.now().timestamp())
            except MAY_GO_WELL as error:
                log.warning("batch_repeated", events=len(batch.events), error=type(error).__name__)
                if self._clock.monotonic() + wait >= deadline:
                    raise
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
