"""Runs the re-sealing of one account: batch by batch over all members that lag behind, pass by pass until none does.

Any number of workers share an account: each takes the next members of the pass for itself, and whoever finds none left
waits for the others and closes the run. What it takes is a range of as many members as ten batches hold, less towards
the end, written in the order that spares the indexes (stripes.py). Where ranges may end is found when a run begins.

Failure model. A batch commits whole: members, keys, indexes, and how many are done, behind the fence and by
compare-and-set. What a killed worker had taken still lags behind, as its members' own generation says, and is met in
the next pass, as is a member that someone else changes or holds at that moment: its change is never undone, an erased
one never comes back. A member that can't be opened stays as it is and is counted. When keys change in the midst the
run goes on towards the new ones.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from prometheus_client import Counter

from core import logs, sql
from core.errors import Superseded, Tampered
from members.attribute import Definitions
from members.attributes import load_definitions
from members.binary_copy import stream
from members.consents import evidence
from members.errors import Overtaken
from members.fence import hold_keys
from members.keyring import KeyRings
from members.resealing.files import rewrap_files
from members.resealing.renewal import Renewal
from members.resealing.rows import RENEWED, SAME, Lagging, read
from members.resealing.stripes import LEAST, SHARE, batches
from members.sealer import RANDOM_BYTES

SQL = sql.load(__package__ or "", "run.sql")

log = logs.get()

BATCH = 4000
"""Members a batch: a fraction of a second during which keys can't change. Two ranges are some 50 MB in memory."""

RESEALED = Counter("todoku_members_resealed", "Members met by re-sealing", ["outcome"])

PAUSE = 0.05
"""Seconds after which one who has nothing left asks again whether the others have."""
_STILL = 5
"""How often nothing may have changed: whoever held a member is through, or a killed worker left what it took."""

_FIRST_GENERATION = 1
_START, _END = UUID(int=0), UUID(int=2**128 - 1)
_SLICE = 64


async def reseal(pool: asyncpg.Pool, rings: KeyRings, account_id: UUID, alive: Callable[[], bool]) -> None:
    """Bring every member of the account over to its present keys and protections.

    `alive` is asked between batches: when false, Superseded is raised and the rest is another worker's. Raises what the
    database raises while it is away: run it again then.
    """
    while True:
        try:
            run = await _Run.begin(pool, rings, account_id, alive)
            if run is None or await run.through():
                return
        except Overtaken:
            # Keys or protections changed in the midst: go on from where things are.
            if not alive():
                raise Superseded("The lease of this worker was lost") from None


@dataclass(frozen=True, slots=True)
class _Batch:
    """Members brought over and not yet written, what they were made of, and how many could not be."""

    renewed: Sequence[bytes]
    rows: Sequence[Lagging]
    random: bytes
    unreadable: int


class _Run:
    """One pass over those whose generation is before `needed`; `full`: some of them must be read."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        renewal: Renewal,
        needed: int,
        pass_: int,
        alive: Callable[[], bool],
        *,
        full: bool,
    ) -> None:
        self._pool = pool
        self._rings = rings
        self._renewal = renewal
        self._account_id = renewal.ring.account_id
        self._goal = renewal.ring.generation
        self._needed = needed
        self._pass = pass_
        self._alive = alive
        self._full = full

    @classmethod
    async def begin(
        cls, pool: asyncpg.Pool, rings: KeyRings, account_id: UUID, alive: Callable[[], bool]
    ) -> "_Run | None":
        """Read the newest keys, and what they and the attributes need; None: there is nothing to do."""
        ring = await rings.reload(account_id)
        reread_before = max(ring.index_since, await pool.fetchval(SQL["protections_since"], account_id))
        needed = max(ring.seal_since, reread_before)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["begin_alone"], account_id)
            pass_ = await connection.fetchval(SQL["join"], account_id, ring.generation, BATCH)
            if pass_ is None:
                pass_ = await connection.fetchval(SQL["begin"], account_id, ring.generation, _START, needed, BATCH)
        if pass_ is None:
            return None
        full = reread_before > _FIRST_GENERATION and await pool.fetchval(SQL["any_before"], account_id, reread_before)
        return cls(pool, rings, Renewal(ring, reread_before), needed, pass_, alive, full=full)

    async def through(self) -> bool:
        """Make the pass; return whether nobody lags behind any more."""
        await rewrap_files(self._pool, self._renewal.ring, self._rings.random)
        writing: asyncio.Task[None] | None = None
        reading = asyncio.create_task(self._take())
        try:
            while (taken := await reading) is not None:
                # While this range is brought over the next one is read, and while a batch is the one before is written.
                reading = asyncio.create_task(self._take())
                for rows in batches(taken, BATCH, self._goal):
                    if not self._alive():
                        raise Superseded("The lease of this worker was lost")
                    batch = await self._renew(rows)
                    if writing is not None:
                        await writing
                    writing = asyncio.create_task(self._write(batch))
            if writing is not None:
                await writing
        finally:
            tasks = [task for task in (reading, writing) if task is not None and not task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return await self._finish()

    async def _take(self) -> Sequence[Lagging] | None:
        """Take the next members of the pass and read them; None if none are left."""
        took = await self._pool.fetchrow(SQL["take"], self._account_id, self._goal, self._pass, _END, SHARE, LEAST)
        if took is None:
            return None
        rows: list[Lagging] = []
        first = True

        async def receive(block: bytes) -> None:
            nonlocal first
            rows.extend(read(bytes(block), first=first))
            first = False

        bounds = (took["after"], took["last"], self._needed, self._full)
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["plan_in_order"])
            await connection.copy_from_query(
                SQL["lagging_rows"], self._account_id, *bounds, output=receive, format="binary"
            )
        return rows

    async def _renew(self, rows: Sequence[Lagging]) -> _Batch:
        renewed: list[bytes] = []
        # After the rows: whatever has a value in them was defined by then, and a removal since is told by the fence.
        definitions = await load_definitions(self._pool, self._account_id) if self._full else Definitions()
        random, renew = self._rings.random(RANDOM_BYTES * len(rows)), self._renewal.renew
        start = unreadable = 0
        for place, row in enumerate(rows):
            if not place % _SLICE:
                await asyncio.sleep(0)
            end = start + RANDOM_BYTES
            try:
                renewed.append(renew(row, definitions, random[start:end]))
            except Tampered:
                unreadable += 1
            start = end
        return _Batch(renewed, rows, random, unreadable)

    async def _write(self, batch: _Batch) -> None:
        ring = self._renewal.ring
        async with self._pool.acquire() as connection:
            await connection.execute(SQL["make"])
            async with connection.transaction():
                await hold_keys(connection, ring)
                await connection.copy_to_table(
                    "renewed", columns=RENEWED, source=stream(SAME, batch.renewed), format="binary"
                )
                await connection.execute(SQL["plan_by_place"])
                versions = list(ring.addresses)
                ((written, rekeyed, witnessed),) = await connection.fetch(
                    SQL["write"], self._account_id, self._needed, self._goal, ring.primary_seal, versions
                )
                if not rekeyed:
                    raise Overtaken("A member's key was moved to another place since it was read")
                if witnessed:
                    await connection.execute(SQL["plan_in_order"])
                    keys = self._keys(batch, witnessed)
                    await evidence.reseal(connection, self._account_id, keys, self._rings.random)
                moved = await connection.fetchval(
                    SQL["advance"], self._account_id, self._goal, written, batch.unreadable, self._pass
                )
                if not moved:
                    raise Overtaken("Keys changed, and the goal of this re-sealing with them")
        RESEALED.labels("resealed").inc(written)
        RESEALED.labels("unreadable").inc(batch.unreadable)
        RESEALED.labels("passed_over").inc(len(batch.renewed) - written)

    def _keys(self, batch: _Batch, members: Iterable[UUID]) -> dict[UUID, tuple[bytes, bytes]]:
        """Return the old and the new key of some members of a batch."""
        wanted = {member_id.bytes: member_id for member_id in members}
        return {
            wanted[row[1]]: self._renewal.keys(row, batch.random[place * RANDOM_BYTES : (place + 1) * RANDOM_BYTES])
            for place, row in enumerate(batch.rows)
            if row[1] in wanted
        }

    async def _finish(self) -> bool:
        """Close the run, or begin its next pass while others than the unreadable lag; return whether it is closed."""
        unmet, still = await self._unmet(), 0
        while unmet and still < _STILL:
            # Another worker is writing what it took. Counting those who lag would be a walk over all members.
            await asyncio.sleep(PAUSE)
            before, unmet = unmet, await self._unmet()
            still = still + 1 if unmet == before else 0
        if unmet is None:
            return True
        if await self._closed(await self._pool.fetchval(SQL["lagging"], self._account_id, self._needed)):
            return True
        await self._pool.execute(SQL["next_pass"], self._account_id, self._goal, self._pass, _START)
        return False

    async def _unmet(self) -> int | None:
        found: int | None = await self._pool.fetchval(SQL["unmet"], self._account_id)
        return found

    async def _closed(self, lagging: int) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            await hold_keys(connection, self._renewal.ring)
            unreadable = await connection.fetchval(SQL["finish"], self._account_id, self._goal, self._pass, lagging)
            if unreadable is None:
                return False
            await connection.execute(SQL["trust_protections"], self._account_id, self._goal)
            await connection.execute(SQL["forget_removed"], self._account_id, self._goal)
        log.info("resealed", account=str(self._account_id), generation=self._goal, unreadable=unreadable)
        return True
