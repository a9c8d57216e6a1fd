"""Takes events in and answers once they are committed: many requests share one transaction.

Events wait in a bounded queue; a batch is written every few milliseconds, whole or not at all, and each waiting
request is answered by its commit.

Failure model. A batch has its id before its first attempt and stores it with its rows, so that a COMMIT whose answer
was lost can be repeated: what is there already is not stored again. While Postgres is away a batch is repeated for
`patience` seconds; then its events are given up with `Unavailable`, as are events that find the queue full. What that
means is the caller's to say: a pixel is shown all the same, an unsubscribe must not be confirmed.
"""

import asyncio
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from uuid import UUID

import asyncpg

from core import logs, sql
from core.clock import Clock
from core.database import AWAY
from core.errors import NotFound, TodokuError, Unavailable
from tracking import meters
from tracking.event import Event

SQL = sql.load(__package__ or "", "intake.sql")

log = logs.get()

# Beside a server that is away: attempts that may go well when they are simply made again.
_REPEATABLE: tuple[type[BaseException], ...] = (
    *AWAY,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)
_FIRST_WAIT = 0.05
_LONGEST_WAIT = 0.5
_LEAST_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How batches are made: at most `events` each, begun `seconds` apart; `queue` events wait at the most.

    `patience` is how long, in seconds, an event waits for Postgres to come back.
    """

    events: int = 1_000
    seconds: float = 0.010
    queue: int = 10_000
    patience: float = 5.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    event: Event
    since: float
    committed: asyncio.Future[None]

    def settle(self, error: TodokuError | None = None) -> None:
        """Answer whoever waits still: a request may have been answered or dropped already."""
        if self.committed.done():
            return
        if error is None:
            self.committed.set_result(None)
        else:
            self.committed.set_exception(error)


class Intake:
    """Writes events in batches while it is entered; leaving it writes what waits. For one event loop."""

    def __init__(
        self, main: asyncpg.Pool, *, clock: Clock, new_id: Callable[[], UUID], pace: Pace | None = None
    ) -> None:
        self._main = main
        self._clock = clock
        self._new_id = new_id
        self._pace = pace or Pace()
        self._queue: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._writer = asyncio.create_task(self._write_batches(), name="tracking intake")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            await self._writer

    @property
    def alive(self) -> bool:
        """Whether events are taken in."""
        return self._writer is not None and not self._writer.done() and not self._closing

    async def record(self, event: Event) -> None:
        """Return once `event` is committed.

        Raises NotFound if there is no such delivery, Unavailable if the event could not be stored in time.
        """
        if self._closing or len(self._queue) >= self._pace.queue:
            meters.LOST[event.kind].inc()
            raise Unavailable("Too many events wait")
        committed = asyncio.get_running_loop().create_future()
        self._queue.append(_Waiting(event, self._clock.monotonic(), committed))
        self._wake.set()
        await committed

    async def _write_batches(self) -> None:
        began = self._clock.monotonic() - self._pace.seconds
        while True:
            await self._wake.wait()
            if not self._closing:
                # Alone, an event goes at once; under load batches begin `seconds` apart and grow.
                await asyncio.sleep(max(0.0, began + self._pace.seconds - self._clock.monotonic()))
            began = self._clock.monotonic()
            batch, self._queue = self._queue[: self._pace.events], self._queue[self._pace.events :]
            meters.QUEUED.set(len(self._queue))
            await self._write(self._without_expired(batch))
            if not self._queue:
                self._wake.clear()
                if self._closing:
                    return

    def _without_expired(self, batch: list[_Waiting]) -> list[_Waiting]:
        """Give up at once what waited out its patience behind a batch that found no database."""
        oldest = self._clock.monotonic() - self._pace.patience
        expired = bisect_left(batch, oldest, key=lambda one: one.since)
        _give_up(batch[:expired])
        return batch[expired:]

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        began = self._clock.monotonic()
        deadline = max(batch[0].since + self._pace.patience, began + _LEAST_PATIENCE)
        try:
            unknown = await self._store(batch, deadline)
        except Exception as error:
            # Whatever it was, the writer goes on and nobody waits for ever.
            if isinstance(error, _REPEATABLE):
                log.warning("events_lost", events=len(batch), error=type(error).__name__)
            else:
                log.exception("events_lost", events=len(batch))
            _give_up(batch)
            return
        meters.COMMIT_SECONDS.observe(self._clock.monotonic() - began)
        meters.BATCH_EVENTS.observe(len(batch))
        refused = [batch[position - 1] for position in unknown]
        for one in refused:
            one.settle(NotFound("No such delivery"))
        for one in batch:
            one.settle()
        stored = Counter(one.event.kind for one in batch)
        stored.subtract(one.event.kind for one in refused)
        for kind, count in stored.items():
            meters.EVENTS[kind].inc(count)

    async def _store(self, batch: Sequence[_Waiting], deadline: float) -> set[int]:
        """Commit a batch, repeated until `deadline`; return the positions (from 1) that name no delivery."""
        arguments = (
            self._new_id(),
            [one.event.run_id for one in batch],
            [one.event.seq for one in batch],
            [one.event.kind for one in batch],
            [one.event.link for one in batch],
        )
        wait = _FIRST_WAIT
        while True:
            try:
                async with asyncio.timeout(deadline - self._clock.monotonic()):
                    return {row["position"] for row in await self._main.fetch(SQL["record"], *arguments)}
            except _REPEATABLE as error:
                log.warning("batch_repeated", events=len(batch), error=type(error).__name__)
                if self._clock.monotonic() + wait >= deadline:
                    raise
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)


def _give_up(batch: Sequence[_Waiting]) -> None:
    for one in batch:
        meters.LOST[one.event.kind].inc()
        one.settle(Unavailable("The event could not be stored"))
