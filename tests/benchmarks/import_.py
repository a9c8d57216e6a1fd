"""How fast a file becomes members: `make bench ARGS=import`.

A seeded file of Japanese and English members, as Excel in Japan exports it, goes through the import as the jobs worker
runs it: one process beside one Postgres. Afterwards the same file again, the worker's hot path and an audience slice.
"""

import asyncio
import csv
import io
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import uvloop

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from deploy.postgres import EmbeddedPostgres, create_databases
from members.accounts import open_account
from members.addresses import parse
from members.attribute import Choice
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.imports import Import, ImportStore, run_import
from members.imports import run as running
from members.imports.columns import RowReader
from members.imports.file import MAX_BLOCK, SealedFile
from members.imports.merge import Merge
from members.kek import Kek
from members.keyring import KeyRings
from members.member import RANDOM_BYTES, new_rows
from members.profile import Value
from members.vault import Vault
from tests.support.postgres import directory_for_postgres
from tracking.engagement import MemberEngagement

ROWS = 100_000
_FAMILY = ("佐藤", "鈴木", "高橋", "田中", "伊藤", "渡辺", "山本", "中村", "Smith", "Jones")
_GIVEN = ("太郎", "花子", "一郎", "美咲", "健", "さくら", "John", "Mary")
_DOMAINS = ("example.jp", "example.com", "docomo.ne.jp", "ezweb.ne.jp", "softbank.ne.jp", "mail.example.co.jp")
_CITIES = ("tokyo", "osaka", "nagoya", "sapporo", "fukuoka")

Figure = dict[str, Any]


def make_file(rows: int, seed: int = 1) -> bytes:
    """Return a CP932 file of `rows` members; one in a hundred is bad."""
    chance = random.Random(seed)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["メール", "氏名", "都道府県", "年齢", "入会日", "備考"])
    for number in range(rows):
        address = f"member{number}@{chance.choice(_DOMAINS)}"
        if number % 100 == 99:
            address = "not an address"
        joined = f"20{chance.randrange(10, 26)}/{chance.randrange(1, 13)}/{chance.randrange(1, 29)}"
        name = f"{chance.choice(_FAMILY)} {chance.choice(_GIVEN)}"
        writer.writerow([address, name, chance.choice(_CITIES), chance.randrange(18, 90), joined, "備考, あり"])
    return out.getvalue().encode("cp932")


MAPPING = {"メール": "email", "氏名": "name", "都道府県": "city", "年齢": "age", "入会日": "joined"}


class Steps:
    """Seconds spent in the steps of an import, by wrapping them from outside: the product has no clock of its own."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure the synchronous and the database steps while in this context."""
        wrapped = [
            (RowReader, "read_all", "read rows: address, values"),
            (running, "reject_block", "write rejects"),
            (SealedFile, "block", "read file (waiting included)"),
            (Merge, "look", "look (waiting included)"),
            (Merge, "decide", "decide and seal (turns of the loop included)"),
            (Merge, "write", "write (waiting included)"),
        ]
        kept = [(owner, name, getattr(owner, name)) for owner, name, _ in wrapped]
        for owner, name, label in wrapped:
            setattr(owner, name, self._timed(getattr(owner, name), label))
        try:
            yield
        finally:
            for owner, name, original in kept:
                setattr(owner, name, original)

    def _timed(self, call: Callable[..., Any], label: str) -> Callable[..., Any]:
        def count(started: float) -> None:
            self.seconds[label] = self.seconds.get(label, 0.0) + time.perf_counter() - started

        async def later(*args: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return await call(*args, **named)
            finally:
                count(started)

        def now(*args: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*args, **named)
            finally:
                count(started)

        return later if asyncio.iscoroutinefunction(call) else now


async def measure(dsns: Dsns, rows: int = ROWS) -> list[Figure]:
    """Import `rows` into the fresh databases of `dsns`; return the figures."""
    clock = SystemClock()
    new_id = IdSource(clock)
    kek = Kek(bytes(32))
    pool = await open_pool(dsns.members, name="bench import", max_size=6)
    main = await open_pool(dsns.main, name="bench import")
    try:
        account_id = new_id()
        await open_account(pool, kek, account_id, new_id)
        attributes = AttributeStore(pool, new_id)
        await attributes.define(
            account_id, "city", "choice", protection="open", choices=[Choice(city, {}) for city in _CITIES]
        )
        await attributes.define(account_id, "age", "number", protection="open")
        await attributes.define(account_id, "joined", "date")
        rings = KeyRings(pool, kek)
        content = make_file(rows)
        figures: list[Figure] = []

        def add(name: str, value: float, unit: str, conditions: str) -> None:
            figures.append({"name": name, "value": round(value, 2), "unit": unit, "conditions": conditions})

        async def imported(label: str) -> None:
            steps = Steps()
            with steps.measured():
                started, busy = time.perf_counter(), time.process_time()
                done = await _import(pool, rings, account_id, new_id, content)
                seconds, cpu = time.perf_counter() - started, time.process_time() - busy
            told = f"{rows} rows of 5 columns, CP932; {done.created} created, {done.unchanged} unchanged"
            add(f"import_rows_per_second{label}", rows / seconds, "rows/s", told)
            add(f"import_python_cpu{label}", cpu / rows * 1e6, "us/row", "process time of the one worker")
            for step, spent in steps.seconds.items():
                add(f"import_step{label}: {step}", spent / rows * 1e6, "us/row", "wall time")

        await _floor(rings, account_id, add)
        await imported("")
        await imported("_again")
        figures += await _read_back(Vault(pool, rings), AudienceSource(pool, rings, MemberEngagement(main)), account_id)
        return figures
    finally:
        await close_pool(pool)
        await close_pool(main)


async def _floor(rings: KeyRings, account_id: UUID, add: Callable[[str, float, str, str], None]) -> None:
    """Measure what no import can do without: two hashes of an address, a wrapped key, a sealed profile."""
    ring, address, rounds = await rings.ring(account_id), parse("taro.yamada@example.jp"), 5000
    started = time.process_time()
    for _ in range(rounds):
        values: dict[str, Value] = {"name": "山田 太郎", "city": "tokyo", "age": 30, "joined": "2020-01-01"}
        new_rows(ring, account_id, address, ring.hashes(address.key), values, {}, bytes(RANDOM_BYTES))
    seconds = time.process_time() - started
    add("import_crypto_floor", seconds / rounds * 1e6, "us/row", "hashes, wrapped key, sealed profile, one core")


async def _import(pool: Any, rings: KeyRings, account_id: UUID, new_id: IdSource, content: bytes) -> Import:
    store = ImportStore(pool, rings, new_id)
    import_id = await store.begin(account_id)
    for no, start in enumerate(range(0, len(content), MAX_BLOCK)):
        await store.add_block(account_id, import_id, no, content[start : start + MAX_BLOCK])
    await store.submit(account_id, import_id, MAPPING, "bench")
    await run_import(pool, rings, import_id, new_id, SystemClock(), lambda: True)
    done = await store.get(account_id, import_id)
    if done.state != "finished":
        raise RuntimeError(f"The import ended {done.state}: {done.error}")
    return done


async def _read_back(vault: Vault, source: AudienceSource, account_id: UUID) -> list[Figure]:
    pieces: list[bytes] = []

    async def sink(piece: bytes) -> None:
        pieces.append(piece)

    upper = await source.upper(account_id)
    if upper is None:
        raise RuntimeError("There are no members")
    figures = []
    rule = {"any": [{"attribute": "city", "equals": "tokyo"}, {"attribute": "age", "greater": 40}]}
    everyone = await source.resolve(account_id, {"all": True})
    for label, audience in (("all", everyone), ("rule", await source.of_rule(account_id, rule))):
        started = time.perf_counter()
        end = await source.slice(account_id, audience, None, upper, 100_000, sink)
        seconds = time.perf_counter() - started
        told = f"{end.rows} rows in one slice, suppression and status checked, {label}"
        figures.append(
            {"name": f"audience_{label}", "value": round(end.rows / seconds), "unit": "rows/s", "conditions": told}
        )
    _, member_ids = await source.at_once(account_id, everyone, 1000) or (None, [])
    rounds = 20
    started, busy = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        opened = await vault.open_members(account_id, member_ids)
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    each = rounds * len(opened)
    told = f"{len(opened)} members a read, repeated"
    figures.append({"name": "open_member", "value": round(seconds / each * 1e6, 2), "unit": "us", "conditions": told})
    figures.append({"name": "open_member_cpu", "value": round(cpu / each * 1e6, 2), "unit": "us", "conditions": told})
    return figures


async def main(rows: int = ROWS) -> list[Figure]:
    """Start a durable Postgres of its own and measure there."""
    with directory_for_postgres() as directory:
        postgres = EmbeddedPostgres(directory / "postgres")
        await asyncio.to_thread(postgres.start)
        try:
            return await measure(await create_databases(postgres), rows)
        finally:
            await asyncio.to_thread(postgres.stop)


if __name__ == "__main__":
    for figure in uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)):
        print(f"{figure['name']:70} {figure['value']:>12} {figure['unit']:8} {figure['conditions']}")  # noqa: T201
