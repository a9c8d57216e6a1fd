"""Runs one import from the first row to the last, or from where a killed run left it.

A run that dies leaves the last committed batch; the next one reads the same file the same way, passes over what is
done and goes on, so the totals come out as if nothing had happened. One that is cancelled stops at its next batch, and
what was committed stays. A dry run goes the whole way and writes no member: it ends `checked`, its file kept for the
real run.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import logs, sql
from core.clock import Clock
from core.errors import InvalidInput, NotFound, Superseded, Tampered
from core.ids import IdSource
from members.attribute import Definitions
from members.attributes import load_definitions
from members.errors import Overtaken
from members.imports import report
from members.imports.columns import EMAIL, Reject, Row, key_of
from members.imports.compression import Bounds
from members.imports.file import SealedFile, open_key, seal_block
from members.imports.joining import TOPICS, joins, with_topics
from members.imports.layout import Layout, names_of
from members.imports.merge import Merge
from members.imports.options import Options, read_options
from members.imports.pipeline import Pipeline
from members.imports.reading import Found, batches, examine, first_records, layout_of, titles
from members.imports.records import Record
from members.imports.turns import SLICE, give_way
from members.keyring import KeyRings, Ring
from members.sealing import NONCE_BYTES
from members.topics import topic_ids

SQL = sql.load(__package__ or "", "run.sql")
log = logs.get()

BATCH = 8000
"""Rows a batch, fewer of wide ones: some megabytes in memory, a fraction of a second between two commits."""
BOUNDS = Bounds(size=20_000_000_000, ratio=200)


async def run_import(
    pool: asyncpg.Pool,
    rings: KeyRings,
    import_id: UUID,
    new_id: IdSource,
    clock: Clock,
    alive: Callable[[], bool],
    bounds: Bounds = BOUNDS,
) -> None:
    """Run an import that is `waiting`, or go on with one that is `running`; one that is over is left alone.

    `alive` is asked between batches: when false, Superseded is raised and the rest is another worker's. A file that
    can't be taken at all (no address column, unknown attribute, not unpacked within `bounds`) ends `failed` with a
    sentence that says why. Raises NotFound, Superseded, and what the database raises while it is away: run it again
    then.
    """
    row = await pool.fetchrow(SQL["open"], import_id)
    if row is None or row["state"] == "uploading":
        raise NotFound("No such import is waiting")
    started = clock.monotonic()
    state = row["state"]
    if await pool.fetchrow(SQL["start"], import_id) is not None:
        run = _Run(pool, rings, row, new_id, alive, bounds, await open_key(rings, row))
        try:
            state = await run.through()
        except (InvalidInput, Tampered) as error:
            said = "; ".join((error.detail, *(f"{fault.pointer}: {fault.detail}" for fault in error.faults)))
            await pool.execute(SQL["fail"], import_id, said)
            state = "failed"
        except Superseded:
            state = await pool.fetchval(SQL["state"], import_id)
            if state != "cancelled":
                raise
        log.info("import_ended", import_id=str(import_id), state=state, seconds=round(clock.monotonic() - started, 3))
    if state != "checked":
        await SealedFile.forget(pool, import_id)


class _Run:
    """One worker's run of one import."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        row: asyncpg.Record,
        new_id: IdSource,
        alive: Callable[[], bool],
        bounds: Bounds,
        cipher: AESGCM,
    ) -> None:
        self.pool = pool
        self.rings = rings
        self.row = row
        self.new_id = new_id
        self.alive = alive
        self.bounds = bounds
        self.cipher = cipher
        self.import_id: UUID = row["import_id"]
        self.account_id: UUID = row["account_id"]
        self.options: Options = read_options(row["settings"]["options"])
        self.file = SealedFile(pool, self.import_id, cipher)

    async def through(self) -> str:
        """Find out what the file is, merge all its batches, close the import; return its state then."""
        settings: dict[str, Any] = self.row["settings"]
        kept = settings.get("found")
        found = Found(**kept) if kept else await examine(self.file, self.options, self.bounds)
        first = await first_records(self.file, found, self.bounds, titles(found) + report.SAMPLES)
        wanted: set[str] | None = None
        while True:
            ring = await self.rings.reload(self.account_id)
            definitions = await load_definitions(self.pool, self.account_id)
            columns = with_topics(definitions, await topic_ids(self.pool, self.account_id))
            mapped = {key_of(target, columns) for target in self.row["mapping"].values()}
            gone = (wanted or mapped) - {EMAIL} - columns.keys()
            if gone:
                raise InvalidInput(f"The attribute {min(gone)} was removed while the import waited or ran")
            layout = layout_of(found, first, self.row["mapping"], columns, self.options.time_zone)
            if wanted is None:
                wanted = names_of(layout.columns(first))
                if TOPICS in wanted - definitions.keys() and not self.row["consent_source"]:
                    raise InvalidInput("The file has a column topics: who joins one consents, so say where they did")
                if not kept:
                    await self._note(found, layout, first, columns)
            rows_done = await self.pool.fetchval(SQL["start"], self.import_id)
            if rows_done is None:
                raise Superseded("Another worker ended this import")
            try:
                rows_done = await self._merge(found, layout, ring, definitions, rows_done)
            except Overtaken:
                # Keys or attributes were changed since they were read: go on by the new ones.
                continue
            break
        state: str | None = await self.pool.fetchval(SQL["finish"], self.import_id, rows_done)
        if state is None:
            raise Superseded("Another worker moved this import on")
        return state

    async def _note(self, found: Found, layout: Layout, first: Sequence[Record], definitions: Definitions) -> None:
        shown = report.made(layout, first, titles(found), definitions, samples=self.row["dry_run"])
        sealed = self._seal("report", 0, shown)
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["found"], self.import_id, {"found": found.to_json()}, found.rows, sealed)
            if layout.reject_header:
                header = self._seal("reject", 0, layout.reject_header)
                await connection.execute(SQL["add_header"], self.import_id, header)

    async def _merge(self, found: Found, layout: Layout, ring: Ring, definitions: Definitions, rows_done: int) -> int:
        """Merge from `rows_done` to the end; return the rows done then."""
        merge = Merge(
            rings=self.rings,
            ring=ring,
            definitions=definitions,
            mode=self.options.mode,
            groups=frozenset(self.options.groups),
            topics=frozenset(self.options.topics),
            consent_source=self.row["consent_source"],
            consent_at=self.options.consent_at,
            new_ids=self.new_id.many,
            random=self.rings.random,
            import_id=self.import_id,
            dry_run=self.row["dry_run"],
        )
        pipeline = Pipeline(self.pool, merge, layout, self._seal, rows_done)
        skip = titles(found) + rows_done
        try:
            async with aclosing(batches(self.file, found, self.bounds, BATCH, skip=skip)) as parts:
                async for records in parts:
                    if not self.alive():
                        raise Superseded("The lease of this worker was lost")
                    # Read while the database looks up the batch before, and writes the one before that.
                    rows, rejects = await _read(layout, records)
                    if TOPICS not in definitions:
                        rows = [joins(row) if TOPICS in row.values or TOPICS in row.removed else row for row in rows]
                    await pipeline.push(rows, rejects, len(records))
            return await pipeline.finish()
        finally:
            await pipeline.drain()

    def _seal(self, kind: str, no: int, content: bytes) -> bytes:
        return seal_block(self.cipher, self.import_id, kind, no, content, self.rings.random(NONCE_BYTES))


async def _read(layout: Layout, records: Sequence[Record]) -> tuple[list[Row], list[Reject]]:
    rows: list[Row] = []
    rejects: list[Reject] = []
    for start in range(0, len(records), SLICE):
        good, bad = layout.read_all(records[start : start + SLICE])
        rows += good
        rejects += bad
        await give_way()
    return rows, rejects
