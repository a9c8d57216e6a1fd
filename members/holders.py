"""The processes that hold keys: each says that it lives, and up to which change of keys it has read its rings.

A new version is made primary only once every living holder has acknowledged it, and an old one is destroyed only once
every holder has acknowledged the new primary (members/rotation.py).

Failure model. A holder that the database has not heard from for its lease counts as dead, and nobody waits for it. By
its own monotonic clock, counted from before its last beat, it knows no later: from then on it reads a ring anew before
each use. A holder that can't open a ring (the wrong KEK) doesn't acknowledge, and so holds the rotation up.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import asyncpg
from prometheus_client import Counter

from core import logs, sql
from core.clock import Clock
from core.database import AWAY
from core.errors import TodokuError
from members.keyring import KeyRings

SQL = sql.load(__package__ or "", "holders.sql")

log = logs.get()

UNREAD = Counter("todoku_key_rings_unread", "Times that changed key rings could not be read and were not acknowledged")

_NOTHING_READ = 0


class Holder:
    """This process among the holders. `kind`: api, worker, jobs; `holder`: a new id at each start."""

    def __init__(
        self, pool: asyncpg.Pool, clock: Clock, *, holder: UUID, kind: str, seconds: float, beat: float
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._holder = holder
        self._kind = kind
        self._seconds = seconds
        self._beat = beat
        self._read = _NOTHING_READ
        self._until = float("-inf")

    def current(self) -> bool:
        """Whether a change of keys can't have passed this process by: what it has read may be used without asking."""
        return self._clock.monotonic() < self._until

    @asynccontextmanager
    async def kept(self, rings: KeyRings) -> AsyncIterator[None]:
        """Be a holder for the block, reading `rings` again after each change of keys."""
        beating = asyncio.create_task(self._keep_beating(rings), name="key holder")
        try:
            yield
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating
            with suppress(*AWAY):
                await self._pool.execute(SQL["leave"], self._holder)

    async def beat(self, rings: KeyRings) -> None:
        """Say that we live; if keys have changed, read the rings again and acknowledge. Raises what reading raises."""
        while True:
            before = self._clock.monotonic()
            epoch = await self._pool.fetchval(SQL["beat"], self._holder, self._kind, self._read, float(self._seconds))
            if epoch == self._read:
                self._until = before + self._seconds
                return
            await rings.reload_changed(since=self._read)
            self._read = epoch

    async def _keep_beating(self, rings: KeyRings) -> None:
        while True:
            try:
                await self.beat(rings)
            except AWAY as error:
                log.warning("key_beat_failed", error=type(error).__name__)
            except TodokuError as error:
                UNREAD.inc()
                log.warning("key_rings_unread", why=error.detail)
            await asyncio.sleep(self._beat)


async def behind(pool: asyncpg.Pool, epoch: int) -> Mapping[str, int]:
    """Return how many living holders of which kind have not acknowledged `epoch`."""
    return {row["kind"]: row["number"] for row in await pool.fetch(SQL["behind"], epoch)}


async def forget_dead(pool: asyncpg.Pool) -> None:
    """Drop holders that have been dead for a day."""
    await pool.execute(SQL["forget_dead"])
