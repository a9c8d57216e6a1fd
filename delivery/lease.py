"""A worker process's one lease: alive while it beats; once reaped, never again.

Failure model. The row in `worker` is locked FOR SHARE by every claim and every intent, and reaping updates it: so
either a statement of ours commits before we are reaped, or it sees that we were. A beat that finds no row means that
our chunks were given away: `lost` is set and the process drops everything. While the database is away the lease runs
out locally: time is counted on the monotonic clock from *before* the beat was sent, so we stop no later than the
database believes.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import asyncpg

from core import logs, sql
from core.clock import Clock
from core.database import AWAY, with_retry

SQL = sql.load(__package__ or "", "lease.sql")

log = logs.get()


class Lease:
    """Register, keep and close one process's lease; `owner` is a new id at each process start."""

    def __init__(
        self, main: asyncpg.Pool, clock: Clock, *, owner: UUID, pool: str, slot: int, seconds: float, beat: float
    ) -> None:
        self.owner = owner
        self.lost = asyncio.Event()
        self._main = main
        self._clock = clock
        self._pool = pool
        self._slot = slot
        self._seconds = seconds
        self._beat = beat
        self._until = 0.0

    def alive(self) -> bool:
        """Whether this process may still begin anything new."""
        return not self.lost.is_set() and self._clock.monotonic() < self._until

    @asynccontextmanager
    async def kept(self) -> AsyncIterator["Lease"]:
        """Hold the lease for the body; at its end beating stops and the lease is given up."""
        before = self._clock.monotonic()
        await with_retry(self._register, what="lease")
        self._until = before + self._seconds
        beating = asyncio.create_task(self._keep_beating(), name="lease")
        try:
            yield self
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
            with suppress(*AWAY):
                await self._main.execute(SQL["close"], self.owner)

    async def _register(self) -> None:
        host, pid = socket.gethostname(), os.getpid()
        with suppress(asyncpg.UniqueViolationError):  # an earlier try had committed
            await self._main.execute(
                SQL["register"], self.owner, self._pool, self._slot, host, pid, float(self._seconds)
            )

    async def _keep_beating(self) -> None:
        while not self.lost.is_set():
            await asyncio.sleep(self._beat)
            before = self._clock.monotonic()
            try:
                held = await self._main.fetchval(SQL["beat"], self.owner, float(self._seconds))
            except AWAY as error:
                log.warning("beat_failed", error=type(error).__name__)
                continue
            if held:
                self._until = before + self._seconds
            else:
                log.error("lease_lost")
                self.lost.set()
