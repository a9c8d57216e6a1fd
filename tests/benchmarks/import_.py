"""How fast a file becomes members and members a file: `make bench ARGS=import`, `BENCH_ROWS=5000000` for more of them.

A seeded file of Japanese and English members, as Excel in Japan exports it, goes through the import as the jobs worker
runs it: one process beside one Postgres. Afterwards a file of known members, an export, and the worker's hot path.
"""

import csv
import io
import os
import random
import resource
import time
from collections.abc import Awaitable, Iterator
from uuid import UUID

import asyncpg

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from members.accounts import open_account
from members.attribute import Choice
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.exports import ExportStore, run_export
from members.imports import Import, ImportStore, run_import
from members.imports.file import MAX_BLOCK
from members.kek import Kek
from members.keyring import KeyRings
from members.vault import Vault
from tests.benchmarks import import_steps, processor_time
from tests.benchmarks.figure import Figure
from tracking.engagement import MemberEngagement

ROWS = int(os.environ.get("BENCH_ROWS", "100000"))
_AGAIN = 100_000
"""Rows of the file that comes a second time: opening a known member costs as much in a small one."""

_FAMILY = ("佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "Smith", "Jones")
_GIVEN = ("太郎", "花子", "一郎", "美咲", "健", "さくら", "John", "Mary")
_DOMAINS = ("example.jp", "example.com", "docomo.ne.jp", "ezweb.ne.jp", "softbank.ne.jp", "mail.example.co.jp")
_CITIES = ("tokyo", "osaka", "nagoya", "sapporo", "fukuoka")

MAPPING = {"メール": "email", "氏名": "name", "都道府県": "city", "年齢": "age", "入会日": "joined"}


def blocks(rows: int, seed: int = 1) -> Iterator[bytes]:
    """Give out a CP932 file of `rows` members in blocks, so that no length of it fills memory; one in 100 is bad."""
    chance = random.Random(seed)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["メール", "氏名", "都道府県", "年齢", "入会日", "備考"])
    rest = b""
    for number in range(rows):
        address = f"member{number}@{chance.choice(_DOMAINS)}"
        if number % 100 == 99:
            address = "not an address"
        joined = f"20{chance.randrange(10, 26)}/{chance.randrange(1, 13)}/{chance.randrange(1, 29)}"
        name = f"{chance.choice(_FAMILY)} {chance.choice(_GIVEN)}"
        writer.writerow([address, name, chance.choice(_CITIES), chance.randrange(18, 90), joined, "備考, あり"])
        if number % 1000 == 0:
            rest += out.getvalue().encode("cp932")
            out.seek(0)
            out.truncate()
            while len(rest) >= MAX_BLOCK:
                yield rest[:MAX_BLOCK]
                rest = rest[MAX_BLOCK:]
    rest += out.getvalue().encode("cp932")
    yield from (rest[start : start + MAX_BLOCK] for start in range(0, len(rest), MAX_BLOCK))


def make_file(rows: int, seed: int = 1) -> bytes:
    """Return that file as a whole."""
    return b"".join(blocks(rows, seed))


class Bench:
    """One account in fresh databases, and what was measured of it."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        audiences: AudienceSource,
        rings: KeyRings,
        account_id: UUID,
        new_id: IdSource,
        postgres: int,
    ) -> None:
        self.pool = pool
        self.audiences = audiences
        self.rings = rings
        self.account_id = account_id
        self.new_id = new_id
        self.postgres = postgres
        self.clock = SystemClock()
        self.figures: list[Figure] = []

    def add(self, name: str, value: float, unit: str, conditions: str) -> None:
        """Note a figure."""
        self.figures.append({"name": name, "value": round(value, 2), "unit": unit, "conditions": conditions})

    async def timed(self, name: str, rows: int, told: str, work: Awaitable[object]) -> None:
        """Note how many rows a second `work` does, and the processor time of a row: ours and Postgres'."""
        began, own, theirs = time.perf_counter(), time.process_time(), processor_time.of_tree(self.postgres)
        await work
        seconds = time.perf_counter() - began
        self.add(name, rows / seconds, "rows/s", told)
        self.add(f"{name}: Python", (time.process_time() - own) / rows * 1e6, "us/row", "processor time")
        spent = processor_time.of_tree(self.postgres) - theirs
        self.add(f"{name}: Postgres", spent / rows * 1e6, "us/row", "processor time of all its processes")

    async def upload(self, rows: int) -> UUID:
        """Upload and submit a file."""
        store = ImportStore(self.pool, self.rings, self.new_id)
        import_id = await store.begin(self.account_id)
        for no, block in enumerate(blocks(rows)):
            await store.add_block(self.account_id, import_id, no, block)
        await store.submit(self.account_id, import_id, MAPPING, "bench")
        return import_id

    async def bring_in(self, import_id: UUID) -> Import:
        """Run an import as the worker does."""
        await run_import(self.pool, self.rings, import_id, self.new_id, self.clock, lambda: True)
        done = await ImportStore(self.pool, self.rings, self.new_id).get(self.account_id, import_id)
        if done.state != "finished":
            raise RuntimeError(f"The import ended {done.state}: {done.error}")
        return done

    async def take_out(self) -> None:
        """Export everyone."""
        store = ExportStore(self.pool, self.rings, self.audiences, keep=3600)
        made = await store.begin(self.account_id, self.new_id(), {"all": True})
        await run_export(self.pool, self.rings, self.audiences, made.export_id, self.clock, lambda: True, 3600)


async def measure(dsns: Dsns, rows: int = ROWS) -> list[Figure]:
    """Import `rows` into the fresh databases of `dsns`, and more with them; return the figures."""
    pool = await open_pool(dsns.members, name="bench import", max_size=6)
    main = await open_pool(dsns.main, name="bench import")
    try:
        bench = await _prepared(pool, main)
        await import_steps.measure(
            bench.pool, bench.rings, bench.account_id, bench.new_id, make_file(import_steps.BATCH), bench.add
        )
        import_id = await bench.upload(rows)
        before = _peak_memory()
        await bench.timed("import_rows_per_second", rows, "5 columns, CP932, 99 % new", bench.bring_in(import_id))
        grown = _peak_memory() - before
        bench.add("import_peak_memory", _peak_memory(), "MB", f"the whole process; {grown:.0f} more than before it")
        again = min(rows, _AGAIN)
        import_id = await bench.upload(again)
        await bench.timed("import_again_rows_per_second", again, "known members, unchanged", bench.bring_in(import_id))
        members = rows - rows // 100
        await bench.timed("export_rows_per_second", members, "CSV, all attributes", bench.take_out())
        await _read_back(bench)
        return bench.figures
    finally:
        await close_pool(pool)
        await close_pool(main)


async def _prepared(pool: asyncpg.Pool, main: asyncpg.Pool) -> Bench:
    new_id, kek = IdSource(SystemClock()), Kek(bytes(32))
    account_id = new_id()
    await open_account(pool, kek, account_id, new_id)
    attributes = AttributeStore(pool, new_id)
    choices = [Choice(city, {}) for city in _CITIES]
    await attributes.define(account_id, "city", "choice", protection="open", choices=choices)
    await attributes.define(account_id, "age", "number", protection="open")
    await attributes.define(account_id, "joined", "date")
    rings = KeyRings(pool, kek)
    audiences = AudienceSource(pool, rings, MemberEngagement(main))
    return Bench(pool, audiences, rings, account_id, new_id, await processor_time.postmaster(pool))


async def _read_back(bench: Bench) -> None:
    vault, rounds, opened = Vault(bench.pool, bench.rings), 20, 0
    member_ids = [row[0] for row in await bench.pool.fetch("SELECT member_id FROM member LIMIT 1000")]
    began = time.perf_counter()
    for _ in range(rounds):
        opened += len(await vault.open_members(bench.account_id, member_ids))
    bench.add("open_member", (time.perf_counter() - began) / opened * 1e6, "us", "a thousand a read, repeated")


def _peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
