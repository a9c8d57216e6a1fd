"""Runs one import from the first row to the last, or from where a killed run left it.

Each batch commits whole: members, keys, indexes, consents, rejects and the import's own counters, fenced by
compare-and-set on `rows_done`. A run that dies leaves the last committed batch; the next one reads the same file the
same way, passes over what is done and goes on, so the totals come out as if nothing had happened. While Postgres
writes one batch the next is read, looked up and sealed.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import logs, sql
from core.clock import Clock
from core.errors import InvalidInput, NotFound, Superseded, Tampered
from members.attribute import Definitions
from members.attributes import load_definitions
from members.errors import Overtaken
from members.imports.columns import EMAIL, Reject, Row, RowReader, resolve
from members.imports.file import SealedFile, open_key, seal_block
from members.imports.merge import Decision, Merge, Moved, Standing
from members.imports.options import Options, read_options
from members.imports.reading import Found, batches, examine, header
from members.imports.records import Record
from members.imports.rejects import header_block, reject_block
from members.keyring import KeyRings, Ring
from members.sealing import NONCE_BYTES

SQL = sql.load(__package__ or "", "run.sql")
log = logs.get()

BATCH = 4000
"""Rows a batch: a few megabytes in memory, a fraction of a second between two commits."""

_RACES = (Moved, asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)
_MAX_RACES = 20
_SLICE = 64


async def run_import(
    pool: asyncpg.Pool,
    rings: KeyRings,
    import_id: UUID,
    new_id: Callable[[], UUID],
    clock: Clock,
    alive: Callable[[], bool],
) -> None:
    """Run an import that is `waiting`, or go on with one that is `running`; one that is over is left alone.

    `alive` is asked between batches: when false, Superseded is raised and the rest is another worker's. A file that
    can't be taken at all (no address column, unknown attribute) ends `failed` with a sentence that says why. Raises
    NotFound, Superseded, and what the database raises while it is away: run it again then.
    """
    row = await pool.fetchrow(SQL["open"], import_id)
    if row is None or row["state"] == "uploading":
        raise NotFound("No such import is waiting")
    started = clock.monotonic()
    if await pool.fetchrow(SQL["start"], import_id) is not None:
        run = _Run(pool, rings, row, new_id, alive, await open_key(rings, row))
        try:
            await run.through()
        except (InvalidInput, Tampered) as error:
            said = "; ".join((error.detail, *(f"{fault.pointer}: {fault.detail}" for fault in error.faults)))
            await pool.execute(SQL["fail"], import_id, said)
        log.info("import_ended", import_id=str(import_id), seconds=round(clock.monotonic() - started, 3))
    for statement in ("forget_blocks", "forget_seen"):
        while not (await pool.execute(SQL[statement], import_id)).endswith(" 0"):
            pass


class _Run:
    """One worker's run of one import."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        row: asyncpg.Record,
        new_id: Callable[[], UUID],
        alive: Callable[[], bool],
        cipher: AESGCM,
    ) -> None:
        self.pool = pool
        self.rings = rings
        self.row = row
        self.new_id = new_id
        self.alive = alive
        self.cipher = cipher
        self.import_id: UUID = row["import_id"]
        self.account_id: UUID = row["account_id"]
        self.options: Options = read_options(row["settings"]["options"])
        self.file = SealedFile(pool, self.import_id, cipher)

    async def through(self) -> None:
        """Find out what the file is, merge all its batches, close the import."""
        settings: dict[str, Any] = self.row["settings"]
        kept = settings.get("found")
        found = Found(**kept) if kept else await examine(self.file, self.options)
        titles = await header(self.file, found)
        columns = resolve(titles, self.row["mapping"], await load_definitions(self.pool, self.account_id))
        if not kept:
            await self._note(found, titles)
        while True:
            ring = await self.rings.reload(self.account_id)
            definitions = await load_definitions(self.pool, self.account_id)
            gone = set(columns.values()) - {EMAIL} - definitions.keys()
            if gone:
                raise InvalidInput(f"The attribute {min(gone)} was removed while the import ran")
            reader = RowReader(titles, columns, definitions, self.options.time_zone)
            rows_done = await self.pool.fetchval(SQL["start"], self.import_id)
            if rows_done is None:
                raise Superseded("Another worker ended this import")
            try:
                rows_done = await self._merge(found, reader, ring, definitions, len(titles), rows_done)
            except Overtaken:
                # Keys or attributes were changed since they were read: go on by the new ones.
                continue
            break
        if await self.pool.fetchval(SQL["finish"], self.import_id, rows_done) is None:
            raise Superseded("Another worker moved this import on")

    async def _note(self, found: Found, titles: Sequence[str]) -> None:
        sealed = self._sealed_reject(0, header_block(titles))
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["found"], self.import_id, {"found": found.to_json()}, found.rows)
            await connection.execute(SQL["add_header"], self.import_id, sealed)

    async def _merge(
        self, found: Found, reader: RowReader, ring: Ring, definitions: Definitions, width: int, rows_done: int
    ) -> int:
        """Merge from `rows_done` to the end; return the rows done then."""
        merge = Merge(
            import_id=self.import_id,
            ring=ring,
            definitions=definitions,
            mode=self.options.mode,
            groups=frozenset(self.options.groups),
            consent_source=self.row["consent_source"],
            consent_at=self.options.consent_at,
            new_id=self.new_id,
            required=frozenset(
                key for key, attribute in definitions.items() if attribute.required and attribute.default is None
            ),
            random=self.rings.random,
        )
        pipeline = _Pipeline(self, merge, width, rows_done)
        try:
            async with aclosing(batches(self.file, found, BATCH, skip=1 + rows_done)) as parts:
                async for records in parts:
                    if not self.alive():
                        raise Superseded("The lease of this worker was lost")
                    # Read while the database looks up the batch before, and writes the one before that.
                    rows, rejects = await _read(reader, records)
                    await pipeline.push(rows, rejects, len(records))
            return await pipeline.finish()
        finally:
            await pipeline.cancel()

    async def write(self, merge: Merge, batch: "_Batch", decision: Decision, rows_done: int) -> None:
        """Commit one batch; where someone else was faster with a member of it, look and decide again."""
        for _ in range(_MAX_RACES):
            rejects = sorted((*batch.rejects, *decision.rejects), key=lambda reject: reject.record.line)
            sealed = self._sealed_reject(rows_done + 1, reject_block(rejects, batch.width)) if rejects else b""
            try:
                async with self.pool.acquire() as connection, connection.transaction():
                    await merge.write(connection, decision, rows_done, batch.size, sealed, len(rejects))
            except _RACES:
                decision = await merge.decide(batch.rows, await merge.look(self.pool, batch.rows), ())
                continue
            merge.used.update(decision.names)
            return
        raise Superseded("Other writers kept changing the same members")

    def _sealed_reject(self, no: int, content: bytes) -> bytes:
        return seal_block(self.cipher, self.import_id, "reject", no, content, self.rings.random(NONCE_BYTES))


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch of the file, read: its good rows, its rejects, how many records it has, how many columns."""

    rows: Sequence[Row]
    rejects: Sequence[Reject]
    size: int
    width: int


class _Pipeline:
    """Three batches at once: one is read, the one before is looked up, the one before that is written.

    A look-up begins when the batch before it is decided, so what that one takes and has not committed is passed on.
    """

    def __init__(self, run: _Run, merge: Merge, width: int, rows_done: int) -> None:
        self._run = run
        self._merge = merge
        self._width = width
        self._rows_done = rows_done
        self._looked_up: _Batch | None = None
        self._looking: asyncio.Task[Standing] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._taken: Collection[bytes] = ()

    async def push(self, rows: Sequence[Row], rejects: Sequence[Reject], size: int) -> None:
        """Take the next batch in; decide the one before it and begin to write that."""
        await self._decide()
        self._looked_up = _Batch(rows, rejects, size, self._width)
        self._looking = asyncio.create_task(self._merge.look(self._run.pool, rows))

    async def finish(self) -> int:
        """Write what is left; return the rows done in all."""
        await self._decide()
        if self._writing is not None:
            await self._writing
        return self._rows_done

    async def cancel(self) -> None:
        """Leave off what is under way."""
        tasks = [task for task in (self._looking, self._writing) if task is not None and not task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _decide(self) -> None:
        batch = self._looked_up
        if batch is None or self._looking is None:
            return
        decision = await self._merge.decide(batch.rows, await self._looking, self._taken)
        if self._writing is not None:
            await self._writing
        self._writing = asyncio.create_task(self._run.write(self._merge, batch, decision, self._rows_done))
        self._taken = decision.taken
        self._rows_done += batch.size
        self._looked_up = None


async def _read(reader: RowReader, records: Sequence[Record]) -> tuple[list[Row], list[Reject]]:
    rows: list[Row] = []
    rejects: list[Reject] = []
    for start in range(0, len(records), _SLICE):
        good, bad = reader.read_all(records[start : start + _SLICE])
        rows += good
        rejects += bad
        await asyncio.sleep(0)
    return rows, rejects
