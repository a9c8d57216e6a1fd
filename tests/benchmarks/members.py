"""Whether a vault of millions is as quick as a small one: `make bench ARGS=members`, sizes by BENCH_SIZES.

Each size has databases of its own. Made-up files are imported as the jobs worker does it, block by block so that they
are never whole in memory; then what people and campaigns ask of the vault is measured. A knee would show as a rate that
falls, or a time that grows faster than the size.
"""

import asyncio
import os
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from core import ids
from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from deploy.postgres import EmbeddedPostgres, create_databases
from members.accounts import open_account
from members.attribute import Choice
from members.attributes import AttributeStore
from members.audience import Audience, AudienceSource
from members.groups import KIND as GROUP
from members.groups import GroupStore
from members.imports import ImportStore, run_import
from members.imports.file import MAX_BLOCK
from members.kek import Kek
from members.keyring import KeyRings
from members.members import MemberStore
from members.previews import PreviewStore
from members.rules.reading import SEGMENT
from members.segments import SegmentStore
from members.traits import Traits
from members.verification import verify_members
from tests.benchmarks import processor_time
from tests.benchmarks.figure import Figure
from tests.support.postgres import directory_for_postgres
from tracking.engagement import MemberEngagement

SIZES = tuple(int(size) for size in os.environ.get("BENCH_SIZES", "100000,1000000").split(","))
SLICE = 100_000
READS = 2_000
PREVIEWS = 5
CITIES = ("tokyo", "osaka", "nagoya", "sapporo", "fukuoka")
RULE = {"all": [{"attribute": "city", "equals": "tokyo"}, {"attribute": "plan", "equals": "gold"}]}
SEGMENTS: Mapping[str, Mapping[str, Any]] = {
    "east": {"attribute": "city", "in": ["tokyo", "sapporo"]},
    "not of the capital": {"attribute": "city", "not_equals": "tokyo"},
}
GROUPS = 3
"""A tenth of the members are in one of them."""
SEALED = {"attribute": "name", "contains": "太郎77"}
_RSS = re.compile(r"^VmRSS:\s+(\d+) kB", re.MULTILINE)


async def measure() -> list[Figure]:
    """Return the figures of every size, each figure's sizes next to each other."""
    by_size = [await _at(size) for size in SIZES]
    return [figure for same in zip(*by_size, strict=True) for figure in same]


async def _at(size: int) -> list[Figure]:
    with directory_for_postgres(on_disk=True) as directory:
        postgres = EmbeddedPostgres(directory / "postgres")
        await asyncio.to_thread(postgres.start)
        try:
            return await _House(await create_databases(postgres), size).measure()
        finally:
            await asyncio.to_thread(postgres.stop)


class _House:
    """One account of `size` members."""

    def __init__(self, dsns: Dsns, size: int) -> None:
        self.dsns = dsns
        self.size = size
        self.clock = SystemClock()
        self.new_id = IdSource(self.clock)
        self.account = self.new_id()
        self.figures: list[Figure] = []
        self.postmaster = 0

    async def rate(self, name: str, unit: str, told: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do something with every member; add how many a second that is, and the processor time of each."""
        python, postgres = processor_time.of(os.getpid()), processor_time.of_tree(self.postmaster)
        seconds = await _timed(work)
        python, postgres = (
            (used - before) / self.size * 1e6
            for used, before in (
                (processor_time.of(os.getpid()), python),
                (processor_time.of_tree(self.postmaster), postgres),
            )
        )
        self.add(name, self.size / seconds, unit, f"{told}; Python {python:.1f}, Postgres {postgres:.1f} µs each")

    def add(self, name: str, value: float, unit: str, told: str) -> None:
        self.figures.append(
            {"name": name, "value": value, "unit": unit, "conditions": f"{self.size:,} members: {told}"}
        )

    async def measure(self) -> list[Figure]:
        pool = await open_pool(self.dsns.members, name="bench members", max_size=6)
        main = await open_pool(self.dsns.main, name="bench members", max_size=2)
        owner = await open_pool(self.dsns.members_owner, name="bench members", max_size=1)
        try:
            self.postmaster = await processor_time.postmaster(pool)
            rings = KeyRings(pool, Kek(bytes(32)))
            await open_account(pool, Kek(bytes(32)), self.account, self.new_id)
            await self._define(AttributeStore(pool, self.new_id))
            await self._import(pool, rings, await self._groups(GroupStore(pool, self.new_id)))
            async with owner.acquire() as connection:
                # Of millions it takes longer than a service's statement may.
                await connection.execute("SET statement_timeout = 0")
                await connection.execute("VACUUM ANALYZE", timeout=1800)
            await self._audience(pool, main, rings)
            await self._read(MemberStore(pool, rings, self.new_id), await self._some_members(pool))
            await self._verify(pool, rings)
        finally:
            for opened in (pool, main, owner):
                await close_pool(opened)
        return self.figures

    async def _define(self, attributes: AttributeStore) -> None:
        choices = [Choice(city, {}) for city in CITIES]
        await attributes.define(self.account, "city", "choice", protection="open", choices=choices)
        await attributes.define(self.account, "plan", "text", protection="matchable")
        await attributes.define(self.account, "age", "number")

    async def _groups(self, groups: GroupStore) -> str:
        """Make GROUPS groups; return one."""
        made = [await groups.create(self.account, f"group {number}") for number in range(GROUPS)]
        return ids.encode(GROUP, made[0].group_id)

    async def _import(self, pool: asyncpg.Pool, rings: KeyRings, group: str) -> None:
        tenth = self.size // 10
        store = ImportStore(pool, rings, self.new_id)
        files = [
            await self._uploaded(store, range(tenth, self.size), {}),
            await self._uploaded(store, range(tenth), {"groups": [group]}),
        ]

        async def run() -> None:
            for import_id in files:
                await run_import(pool, rings, import_id, self.new_id, self.clock, lambda: True)

        async with _memory() as memory:
            told = "two files of 5 columns, one of a tenth into a group; one process beside Postgres"
            await self.rate("import", "rows/s", told, run)
        created = sum([(await store.get(self.account, import_id)).created for import_id in files])
        if created != self.size:
            raise RuntimeError(f"The imports came to {created} members")
        self.add("import_memory", max(memory) / 1e6, "MB", "most resident memory of that process")

    async def _uploaded(self, store: ImportStore, rows: range, options: Mapping[str, object]) -> UUID:
        """Upload a file of members of these numbers; return its id."""
        import_id = await store.begin(self.account)
        for no, block in enumerate(_blocks(rows)):
            await store.add_block(self.account, import_id, no, block)
        await store.submit(self.account, import_id, {}, "bench", options)
        return import_id

    async def _audience(self, pool: asyncpg.Pool, main: asyncpg.Pool, rings: KeyRings) -> None:
        source = AudienceSource(pool, rings, MemberEngagement(main))
        previews = PreviewStore(pool, rings, source)
        everyone = await source.resolve(self.account, {"all": True})
        for name, wanted in (("rule", await source.of_rule(self.account, RULE)), ("all", everyone)):
            ask = partial(previews.at_once, self.account, wanted)
            times = sorted([await _timed(ask) for _ in range(PREVIEWS)])
            told = f"counted by reason, with samples; median of {PREVIEWS}"
            self.add(f"preview_{name}", times[PREVIEWS // 2] * 1e3, "ms", told)
        preview = await previews.begin(self.account, self.new_id(), await source.of_rule(self.account, SEALED))
        await self.rate(
            "preview_sealed",
            "members/s",
            "all of them opened, one process",
            lambda: previews.run(self.account, preview.preview_id, lambda: True),
        )
        segments = SegmentStore(pool, rings, source, self.new_id)
        apart = replace(everyone, traits=await self._traits(source, segments))
        told = f"all of them, in slices of {SLICE:,}"
        await self.rate("snapshot", "rows/s", told, lambda: self._snapshot(source, everyone))
        told += f"; {len(apart.traits.attributes)} attribute, {len(SEGMENTS)} segments, {GROUPS} groups told of each"
        await self.rate("snapshot_with_traits", "rows/s", told, lambda: self._snapshot(source, apart))
        began = time.perf_counter()
        await anext(_slices(source, self.account, everyone, limit=5_000))
        milliseconds = (time.perf_counter() - began) * 1e3
        self.add("snapshot_first_slice", milliseconds, "ms", "the first 5,000: sending may begin")

    async def _traits(self, source: AudienceSource, segments: SegmentStore) -> Traits:
        """Return what a campaign to the SEGMENTS is reported by, if it says nothing of it."""
        made = [await segments.create(self.account, name, rule) for name, rule in SEGMENTS.items()]
        named = [ids.encode(SEGMENT, one.segment_id) for one in made]
        return await source.traits(self.account, {"segments": named}, None)

    async def _snapshot(self, source: AudienceSource, audience: Audience) -> None:
        rows = sum([part async for part in _slices(source, self.account, audience)])
        if rows != self.size:
            raise RuntimeError(f"The snapshot came to {rows} members")

    async def _some_members(self, pool: asyncpg.Pool) -> list[UUID]:
        rows = await pool.fetch(
            "SELECT member_id FROM member WHERE random() < $1::float8 LIMIT $2",
            min(1.0, 2 * READS / self.size),
            READS,
        )
        found = [row["member_id"] for row in rows]
        random.Random(1).shuffle(found)
        return found

    async def _read(self, store: MemberStore, member_ids: list[UUID]) -> None:
        times = sorted([await _timed(partial(store.get, self.account, one)) for one in member_ids])
        for name, share in (("read_p50", 0.5), ("read_p99", 0.99)):
            self.add(
                name, times[int(len(times) * share)] * 1e3, "ms", f"one member opened by id, {len(times):,} of them"
            )

    async def _verify(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        async def verify() -> None:
            found = [finding async for finding in verify_members(pool, rings)]
            if found:
                raise RuntimeError(f"{len(found)} members are not as they were written")

        await self.rate("verify", "members/s", "`todoku verify --members`", verify)


async def _slices(
    source: AudienceSource, account: UUID, audience: Audience, *, limit: int = SLICE
) -> AsyncIterator[int]:
    async def away(_piece: bytes) -> None:
        return

    upper, after = await source.upper(account), None
    while upper is not None:
        end = await source.slice(account, audience, after, upper, limit, away)
        yield end.rows
        if end.last is None:
            return
        after = end.last


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await call()
    return time.perf_counter() - began


@asynccontextmanager
async def _memory() -> AsyncIterator[list[int]]:
    """Resident bytes of this process, asked ten times a second during the block."""
    seen = [_resident()]

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.1)
            seen.append(_resident())

    watching = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        watching.cancel()


def _resident() -> int:
    found = _RSS.search(Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) * 1024 if found else 0


def _blocks(rows: range) -> Iterator[bytes]:
    """The file of members with these numbers, in blocks of an upload."""
    chance = random.Random(1)
    waiting = bytearray(b"email,name,city,plan,age\r\n")
    for number in rows:
        plan = "gold" if chance.random() < 0.1 else "free"
        values = (f"member{number}@example{number % 50}.jp", f"山田 太郎{number % 999}", CITIES[number % 5], plan, "42")
        waiting += (",".join(values) + "\r\n").encode()
        while len(waiting) >= MAX_BLOCK:
            yield bytes(waiting[:MAX_BLOCK])
            del waiting[:MAX_BLOCK]
    if waiting:
        yield bytes(waiting)
