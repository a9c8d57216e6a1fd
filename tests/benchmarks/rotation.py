"""How fast members are brought over to new keys: `make bench ARGS=rotation`.

An imported file of members, as in the benchmark of imports, is re-sealed after a new seal key and after a new index
key, as the worker of the pool `jobs` does it: one process beside one Postgres. Compared with the bare cryptography of
one member.
"""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar
from uuid import UUID

import asyncpg

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from members.accounts import open_account
from members.attribute import Choice, Definitions
from members.attributes import AttributeStore
from members.imports import ImportStore, run_import
from members.imports.file import MAX_BLOCK
from members.kek import Kek
from members.keyring import KeyRings
from members.resealing import load_progress, renewal, reseal, run
from members.rotation import Purpose, Rotation
from members.sealer import RANDOM_BYTES, Sealer
from members.sealing import KEY_BYTES
from tests.benchmarks.figure import Figure
from tests.benchmarks.import_ import MAPPING, make_file
from tests.benchmarks.processor_time import of, of_tree, postmaster

T = TypeVar("T")

ROWS = 100_000
_CITIES = ("tokyo", "osaka", "nagoya", "sapporo", "fukuoka")


async def measure(dsns: Dsns, rows: int = ROWS) -> list[Figure]:
    """Import `rows` into the fresh databases of `dsns`, rotate both keys; return the figures."""
    new_id, kek = IdSource(SystemClock()), Kek(bytes(32))
    pool = await open_pool(dsns.members, name="bench rotation", max_size=6)
    try:
        account_id = new_id()
        await open_account(pool, kek, account_id, new_id)
        attributes = AttributeStore(pool, new_id)
        cities = [Choice(city, {}) for city in _CITIES]
        await attributes.define(account_id, "city", "choice", protection="matchable", choices=cities)
        await attributes.define(account_id, "age", "number", protection="open")
        await attributes.define(account_id, "joined", "date")
        rings, rotation = KeyRings(pool, kek), Rotation(pool, kek, os.urandom)
        await _fill(pool, rings, account_id, new_id, rows)
        figures: list[Figure] = []

        def add(name: str, value: float, unit: str, conditions: str) -> None:
            figures.append({"name": name, "value": round(value, 2), "unit": unit, "conditions": conditions})

        turns: tuple[tuple[str, Purpose], ...] = (("seal", "seal"), ("index", "index"), ("seal_again", "seal"))
        for label, purpose in turns:
            alone = partial(_alone, pool, rings, account_id)
            await _rotate(pool, rotation, account_id, purpose, label, alone, add)
        by_two = partial(_by_two, dsns.members, account_id)
        await _rotate(pool, rotation, account_id, "seal", "seal_by_two", by_two, add)
        await _floor(pool, rings, account_id, add)
        return figures
    finally:
        await close_pool(pool)


async def _rotate(
    pool: asyncpg.Pool,
    rotation: Rotation,
    account_id: UUID,
    purpose: Purpose,
    label: str,
    work: Callable[[int], Awaitable[tuple[float, float, float]]],
    add: Callable[[str, float, str, str], None],
) -> None:
    await rotation.add(account_id, purpose)
    await rotation.promote(account_id, purpose)
    before, server = await _updates(pool), await postmaster(pool)
    seconds, cpu, serving = await work(server)
    progress = await load_progress(pool, account_id)
    if progress is None:
        raise RuntimeError("Nothing was re-sealed")
    done = progress.done
    after = await _updates(pool)
    updated, hot = (after[name] - before[name] for name in ("updated", "hot"))
    started = time.perf_counter()
    await rotation.retire(account_id, purpose)
    told = f"{done} members of 5 columns, {hot / max(1, updated):.0%} of the rows' updates in place"
    add(f"{label}: members re-sealed a second", done / seconds, "members/s", told)
    add(f"{label}: Python", cpu / done * 1e6, "us/member", "processor time of the workers")
    add(f"{label}: Postgres", serving / done * 1e6, "us/member", "processor time of all its processes")
    add(f"{label}: both", (cpu + serving) / done * 1e6, "us/member", f"{seconds / done * 1e6:.0f} of wall time")
    add(f"{label}: retire", time.perf_counter() - started, "s", "the old version proven unneeded and destroyed")


async def _floor(
    pool: asyncpg.Pool, rings: KeyRings, account_id: UUID, add: Callable[[str, float, str, str], None]
) -> None:
    """Measure what no re-sealing can do without: a key unwrapped and one wrapped, a profile opened and one sealed."""
    ring = await rings.reload(account_id)
    rows = [
        (b"", member_id.bytes, 1, ring_version, wrapped, sealed, None)
        for member_id, ring_version, wrapped, sealed in await pool.fetch(
            "SELECT member_id, ring_version, wrapped, sealed"
            " FROM member JOIN keys.member_key USING (account_id, member_id) LIMIT 5000"
        )
    ]
    version = ring.primary_seal + 1
    sealer = partial(Sealer, account_id.bytes, version, bytes(KEY_BYTES))
    promoted = renewal.Renewal(replace(ring, primary_seal=version, sealer=sealer), 0)
    started = time.process_time()
    for row in rows:
        promoted.renew(row, Definitions(), bytes(RANDOM_BYTES))
    seconds = time.process_time() - started
    add(
        "crypto",
        seconds / len(rows) * 1e6,
        "us/member",
        "one key unwrapped, one wrapped, one profile opened, one sealed",
    )


async def _alone(pool: asyncpg.Pool, rings: KeyRings, account_id: UUID, server: int) -> tuple[float, float, float]:
    """Re-seal in this process; return the seconds by the wall, and of processor time: ours, Postgres'."""
    started, busy, served = time.perf_counter(), time.process_time(), of_tree(server)
    await reseal(pool, rings, account_id, lambda: True)
    return time.perf_counter() - started, time.process_time() - busy, of_tree(server) - served


async def _by_two(dsn: str, account_id: UUID, server: int) -> tuple[float, float, float]:
    """Have two processes share it, both ready before the clock starts; return the same of both together."""
    command = (sys.executable, "-m", "tests.support.resealer", dsn, str(account_id), str(run.BATCH), bytes(32).hex())
    workers = [await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE) for _ in range(2)]
    for worker in workers:
        await _pipe(worker.stdout).readline()
    started, busy, served = time.perf_counter(), sum(of(worker.pid) for worker in workers), of_tree(server)
    for worker in workers:
        _pipe(worker.stdin).write(b"go\n")
    for worker in workers:
        await _pipe(worker.stdout).readline()
    seconds, spent = time.perf_counter() - started, sum(of(worker.pid) for worker in workers) - busy
    serving = of_tree(server) - served
    for worker in workers:
        await worker.communicate(b"end\n")
    return seconds, spent, serving


def _pipe(pipe: T | None) -> T:
    if pipe is None:
        raise RuntimeError("The worker has no pipe")
    return pipe


async def _updates(pool: asyncpg.Pool) -> asyncpg.Record:
    await pool.execute("SELECT pg_stat_force_next_flush()")
    row = await pool.fetchrow(
        "SELECT n_tup_upd AS updated, n_tup_hot_upd AS hot FROM pg_stat_user_tables WHERE relname = 'member'"
    )
    if row is None:
        raise RuntimeError("There is no table of members")
    return row


async def _fill(pool: asyncpg.Pool, rings: KeyRings, account_id: UUID, new_id: IdSource, rows: int) -> None:
    store, content = ImportStore(pool, rings, new_id), make_file(rows)
    import_id = await store.begin(account_id)
    for no, start in enumerate(range(0, len(content), MAX_BLOCK)):
        await store.add_block(account_id, import_id, no, content[start : start + MAX_BLOCK])
    await store.submit(account_id, import_id, MAPPING, "bench")
    await run_import(pool, rings, import_id, new_id, SystemClock(), lambda: True)
