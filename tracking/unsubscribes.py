"""Unsubscribes by the members' own pages: many at once in one COMMIT, each answered once it is in effect.

Who leaves waits in a bounded queue. The first is written at once; under load a statement begins every few milliseconds
and takes along whoever has come meanwhile.

Failure model. What the queue has no room for, and what waits while Postgres is away or takes too long, is refused with
`Unavailable`; its reader may press again, since a stop that is there already stays as it is. A statement that fails for
any other reason is repeated by halves, until what it fails by stands alone: so nobody's leaving hangs on another's.
Nothing is kept but in Postgres: who was not answered may have to leave again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from core import logs, sql
from core.clock import Clock
from core.database import AWAY
from core.errors import NotFound, Unavailable

log = logs.get()

SQL = sql.load(__package__ or "", "unsubscribes.sql")

_LARGEST_SEQ = 2**31 - 1
_AWAY: tuple[type[BaseException], ...] = (*AWAY, TimeoutError)


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `most` in a statement, begun `seconds` apart and given up after `patience` seconds; `queue` wait."""

    most: int = 500
    seconds: float = 0.005
    queue: int = 5_000
    patience: float = 5.0


@dataclass(frozen=True, slots=True)
class _Leaver:
    run_id: UUID
    seq: int
    topic_alone: bool
    left: asyncio.Future[None]

    def settle(self, error: Exception | None = None) -> None:
        """Answer whoever waits still: the request may have been dropped already."""
        if self.left.done():
            return
        if error is None:
            self.left.set_result(None)
        else:
            self.left.set_exception(error)


class Unsubscribes:
    """`main` is a pool of a role that may call app.leave. For one event loop."""

    def __init__(self, main: asyncpg.Pool, clock: Clock, pace: Pace | None = None) -> None:
        self._main = main
        self._clock = clock
        self._pace = pace or Pace()
        self._queue: list[_Leaver] = []
        self._writing: asyncio.Task[None] | None = None

    async def leave(self, run_id: UUID, seq: int, *, topic_alone: bool) -> None:
        """Stop the mail of whoever got this one, all of it or (`topic_alone`) what is about its topic.

        Counted as the run's unsubscribe. Repeated it changes nothing but that count's total. Raises NotFound if there
        is no such delivery, Unavailable.
        """
        # One number that is none would fail as the statement is sent, and with it everybody's.
        if seq > _LARGEST_SEQ:
            raise NotFound("There is no such delivery")
        if len(self._queue) >= self._pace.queue:
            raise Unavailable("Too many leave at once")
        left = asyncio.get_running_loop().create_future()
        self._queue.append(_Leaver(run_id, seq, topic_alone, left))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="unsubscribes")
        await left

    async def _write_all(self) -> None:
        """Write until nobody waits."""
        try:
            while self._queue:
                began = self._clock.monotonic()
                leavers, self._queue = self._queue[: self._pace.most], self._queue[self._pace.most :]
                await self._write(leavers)
                await asyncio.sleep(max(0.0, began + self._pace.seconds - self._clock.monotonic()))
        finally:
            self._writing = None

    async def _write(self, leavers: Sequence[_Leaver]) -> None:
        try:
            known = await self._commit(leavers)
        except _AWAY as error:
            log.warning("unsubscribes_refused", count=len(leavers), error=type(error).__name__)
            for one in leavers:
                one.settle(Unavailable("A database is away or overloaded just now"))
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody waits for ever
            if len(leavers) == 1:
                leavers[0].settle(error)
                return
            middle = len(leavers) // 2
            await self._write(leavers[:middle])
            await self._write(leavers[middle:])
        else:
            for place, one in enumerate(leavers, 1):
                one.settle(None if place in known else NotFound("There is no such delivery"))

    async def _commit(self, leavers: Sequence[_Leaver]) -> set[int]:
        """Return the places (from 1) of the deliveries that there are; they are left then."""
        async with asyncio.timeout(self._pace.patience):
            rows = await self._main.fetch(
                SQL["leave"],
                [one.run_id for one in leavers],
                [one.seq for one in leavers],
                [one.topic_alone for one in leavers],
            )
        return {row["place"] for row in rows}
