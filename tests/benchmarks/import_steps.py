"""What each step of an import costs a row, each measured alone: so that it is known where the next microsecond lies."""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg

from core.ids import IdSource
from members.attributes import load_definitions
from members.imports.encoding import Decoder
from members.imports.merge import Merge
from members.imports.records import RecordReader
from members.imports.sheet import SheetLayout
from members.imports.standing import Standing
from members.keyring import KeyRings

BATCH = 4000
_ROUNDS = 3
_MAPPING = {"メール": "email", "氏名": "name", "都道府県": "city", "年齢": "age", "入会日": "joined"}

Add = Callable[[str, float, str, str], None]


async def measure(
    pool: asyncpg.Pool, rings: KeyRings, account_id: UUID, new_id: IdSource, content: bytes, add: Add
) -> None:
    """Measure the steps on a file's first batch; what is written is rolled back."""
    definitions = await load_definitions(pool, account_id)
    ring = await rings.ring(account_id)
    cpu = Timer(add, "processor time, one batch of 4,000, best of three")
    content = b"\n".join(content.split(b"\n")[: BATCH + 1])
    for _ in range(_ROUNDS):
        with cpu.step("bytes to records"):
            reader, decoder = RecordReader(","), Decoder("cp932")
            records = [*reader.feed(decoder.decode(content, final=True)), *reader.close()]
        layout = SheetLayout(records[0].fields, _MAPPING, definitions, "Asia/Tokyo")
        with cpu.step("records to rows: address, values"):
            rows, _ = layout.read_all(records[1:])
        merge = Merge(
            rings=rings,
            ring=ring,
            definitions=definitions,
            mode="upsert",
            groups=frozenset(),
            consent_source="bench",
            consent_at=None,
            new_ids=new_id.many,
            random=rings.random,
        )
        with cpu.step("hashes of addresses"):
            hashes = ring.hash_columns([row.address.key for row in rows])
        with cpu.step("facets, keys, sealing"):
            decision = await merge.decide(rows, Standing(hashes, {}, frozenset(), frozenset()), ())
    cpu.tell(BATCH)
    await _statements(pool, merge, rows, decision, add)


class Timer:
    """The least processor time of each step."""

    def __init__(self, add: Add, told: str) -> None:
        self._add = add
        self._told = told
        self._best: dict[str, float] = {}
        self._name = ""
        self._began = 0.0

    def step(self, name: str) -> "Timer":
        """Measure a `with` block."""
        self._name = name
        return self

    def __enter__(self) -> None:
        self._began = time.process_time()

    def __exit__(self, *_: object) -> None:
        spent = time.process_time() - self._began
        self._best[self._name] = min(spent, self._best.get(self._name, spent))

    def tell(self, rows: int) -> None:
        """Note the figures."""
        for name, spent in self._best.items():
            self._add(f"import_step: {name}", spent / rows * 1e6, "us/row", self._told)


async def _statements(pool: asyncpg.Pool, merge: Merge, rows: Any, decision: Any, add: Add) -> None:
    """Say what looking up and writing a batch takes of Postgres, table by table."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            timed = _Timed(connection)
            await merge.look(timed, rows)  # type: ignore[arg-type]
            await merge.write(timed, decision)  # type: ignore[arg-type]
            await merge.record(timed, decision)  # type: ignore[arg-type]
        finally:
            await transaction.rollback()
    for name, spent in timed.spent.items():
        told = "one batch of 4,000, answered; empty tables, rolled back"
        add(f"import_step: Postgres, {name}", spent / len(rows) * 1e6, "us/row", told)


class _Timed:
    """A connection that notes how long its answers take, by what was asked."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.spent: dict[str, float] = {}

    async def fetch(self, query: str, *args: object) -> list[Any]:
        return list(await self._noted("look-ups", self._connection.fetch(query, *args)))

    async def fetchval(self, query: str, *args: object) -> object:
        return await self._connection.fetchval(query, *args)

    async def execute(self, query: str, *args: object) -> object:
        return await self._noted("all else", self._connection.execute(query, *args))

    async def copy_to_table(self, table: str, **rest: Any) -> object:
        return await self._noted(f"copy to {table}", self._connection.copy_to_table(table, **rest))

    async def _noted(self, name: str, asked: Awaitable[object]) -> Any:
        began = time.perf_counter()
        answer = await asked
        self.spent[name] = self.spent.get(name, 0.0) + time.perf_counter() - began
        return answer
