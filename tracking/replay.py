"""Carries the spool into Postgres once it is back, while new events go on coming in.

Each file of the spool that nobody holds is taken over and its batches are stored, each as often as it takes: one that
is there already is not stored again, so a death between its commit and the file's removal doubles nothing. A batch
that Postgres refuses for good is logged and its file set aside, so that it holds up no other.
"""

import asyncio
from collections import Counter
from contextlib import suppress
from types import TracebackType
from typing import Self

import asyncpg

from core import logs
from core.clock import Clock
from tracking import batches, meters, spool
from tracking.batches import MAY_GO_WELL, Batch
from tracking.machines import rules
from tracking.spool import Adopted, Spool

log = logs.get()

_STORE_SECONDS = 10.0


class Replay:
    """The way into the spool and out of it, for one event loop. While entered, it empties the spool.

    `away` says that Postgres is taken to be away: from a batch's going to the spool until one from it is stored.
    """

    def __init__(self, main: asyncpg.Pool, to: Spool, *, clock: Clock, probe: float) -> None:
        self.away = False
        self._main = main
        self._spool = to
        self._clock = clock
        self._probe = probe
        self._writing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._empty(), name="tracking replay")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._spool.close()

    async def spool(self, batch: Batch) -> None:
        """Return once `batch` is on disk, in a thread; raise Unavailable if it can't be."""
        async with self._writing:
            await asyncio.to_thread(self._spool.append, batch)
        self.away = True
        meters.SPOOLED.inc(len(batch.events))

    async def _empty(self) -> None:
        while True:
            try:
                while await self._store_file():
                    pass
            except MAY_GO_WELL as error:
                log.warning("database_away", what="spool", error=type(error).__name__)
            except Exception:
                # Disk trouble, most likely: what waits there is tried again.
                log.exception("spool_failed")
            self._show()
            await asyncio.sleep(self._probe)

    async def _store_file(self) -> bool:
        """Store the oldest file that nobody holds, or else our own; False if there is nothing left."""
        if await self._adopt_one():
            return True
        async with self._writing:
            held = self._spool.close()
        return held and await self._adopt_one()

    async def _adopt_one(self) -> bool:
        with spool.adopt(self._spool.directory, rules.load()) as file:
            if file is None:
                return False
            await self._store_all(file)
            file.remove()
        self._show()
        return True

    async def _store_all(self, file: Adopted) -> None:
        for batch in file.batches():
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    unknown = await batches.store(self._main, batch, self._clock.now().timestamp())
            except MAY_GO_WELL:
                raise
            except asyncpg.PostgresError:
                log.exception("batch_refused", events=len(batch.events))
                file.set_aside()
                continue
            self.away = False
            meters.count(Counter(event.kind for n, event in enumerate(batch.events) if n not in unknown))
            log.info("batch_replayed", events=len(batch.events), unknown=len(unknown))

    def _show(self) -> None:
        extent = spool.measure(self._spool.directory)
        meters.SPOOL_BYTES.set(extent.bytes)
        age = 0.0 if extent.since is None else self._clock.now().timestamp() - extent.since
        meters.SPOOL_AGE.set(max(0.0, age))
