"""Runs one export from the first member to the last, or from where a killed run left it.

Members are read by id in pages, up to the newest that there was at the start. The lines of a page go into sealed blocks
that commit together with the place where the next page begins, fenced by the number of blocks: a run that dies leaves
whole pages, the next one goes on behind them, and of two runs only one writes. Each page is a member as it is then, not
as all were at one instant. A member that can't be opened is counted and left out.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import logs, sql
from core.clock import Clock
from core.errors import InvalidInput, NotFound, Superseded, Tampered
from members.attributes import load_definitions
from members.audience import Audience, AudienceSource
from members.exports.columns import Line
from members.exports.writing import Writer
from members.facets import groups_of, topics_of
from members.imports.file import MAX_BLOCK, open_key, seal_block
from members.keyring import KeyRings
from members.opener import Opener
from members.profile import load
from members.sealing import NONCE_BYTES
from members.vault import UNREADABLE, ring_for

SQL = sql.load(__package__ or "", "run.sql")
log = logs.get()

PAGE = 2000
_SLICE = 64
_FIRST = UUID(int=0)


async def run_export(
    pool: asyncpg.Pool,
    rings: KeyRings,
    audiences: AudienceSource,
    export_id: UUID,
    clock: Clock,
    alive: Callable[[], bool],
    keep: float,
) -> None:
    """Run an export that is `waiting`, or go on with one that is `running`; one that is over is left alone.

    `alive` is asked between pages: when false, Superseded is raised. Its file can be fetched for `keep` seconds after
    its end. Raises NotFound, Superseded, and what the database raises while it is away: run it again then.
    """
    started = clock.monotonic()
    row = await pool.fetchrow(SQL["start"], export_id)
    if row is None:
        if await pool.fetchval(SQL["state"], export_id) is None:
            raise NotFound("No such export")
        return
    state = "finished"
    try:
        await _Run(pool, rings, audiences, row, await open_key(rings, row, "export_id"), alive).through(keep)
    except (InvalidInput, Tampered) as error:
        await pool.execute(SQL["fail"], export_id, error.detail)
        state = "failed"
    except Superseded:
        state = await pool.fetchval(SQL["state"], export_id)
        if state != "cancelled":
            raise
    log.info("export_ended", export_id=str(export_id), state=state, seconds=round(clock.monotonic() - started, 3))


class _Page(NamedTuple):
    """The next members: `rows` of those that are to be written, up to and with `end`; `size` were looked at."""

    rows: Sequence[asyncpg.Record]
    end: UUID
    size: int


class _Run:
    """One worker's run of one export."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        audiences: AudienceSource,
        row: asyncpg.Record,
        cipher: AESGCM,
        alive: Callable[[], bool],
    ) -> None:
        self._pool = pool
        self._rings = rings
        self._audiences = audiences
        self._cipher = cipher
        self._alive = alive
        self._export_id: UUID = row["export_id"]
        self._account_id: UUID = row["account_id"]
        self._settings = row["settings"]
        self._audience = Audience(row["settings"]["rule"], row["created_at"])
        self._upper: UUID | None = row["upper"]
        self._after: UUID = row["after"] or _FIRST
        self._blocks: int = row["blocks"]

    async def through(self, keep: float) -> None:
        """Write all pages and close the export."""
        settings = self._settings
        definitions = await load_definitions(self._pool, self._account_id)
        writer = Writer(settings["format"], settings["columns"], definitions, bom=settings["bom"])
        if not self._blocks:
            await self._count()
            await self._commit(writer.head, _Page([], self._after, 0), 0)
        page = await self._page(self._after)
        while page is not None:
            if not self._alive():
                raise Superseded("The lease of this worker was lost")
            following = asyncio.create_task(self._page(page.end))
            try:
                content, unreadable = await self._written(page.rows, writer)
                await self._commit(content, page, unreadable)
                page = await following
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
        if await self._pool.fetchval(SQL["finish"], self._export_id, self._blocks, keep) is None:
            raise Superseded("The export was cancelled, or ended by another worker")

    async def _count(self) -> None:
        """Note where the export ends, and how many members stand before that."""
        row = await self._pool.fetchrow(SQL["count"], self._account_id)
        if row is not None:
            self._upper = row["upper"]
            await self._pool.execute(SQL["found"], self._export_id, row["upper"], row["total"])

    async def _page(self, after: UUID) -> _Page | None:
        """Return the next page, None at the end."""
        if self._upper is None or after >= self._upper:
            return None
        account_id, upper = self._account_id, self._upper
        if self._audience.rule is None:
            rows = await self._pool.fetch(SQL["page"], account_id, after, upper, PAGE)
            return _Page(rows, rows[-1]["member_id"], len(rows)) if rows else None
        end = await self._audiences.range_end(account_id, after, upper, PAGE)
        async with self._audiences.decided(account_id, self._audience, after, end) as decided:
            chosen = await decided.everyone()
        return _Page(await self._pool.fetch(SQL["chosen"], account_id, chosen), end, PAGE)

    async def _written(self, page: Sequence[asyncpg.Record], writer: Writer) -> tuple[bytes, int]:
        """Return the lines of a page, and how many members could not be opened."""
        ring = await ring_for(self._rings, self._account_id, {row["ring_version"] for row in page})
        opener, pieces, unreadable = ring.opener(), [], 0
        for start in range(0, len(page), _SLICE):
            part = page[start : start + _SLICE]
            lines = [line for row in part if (line := _line(opener, row)) is not None]
            unreadable += len(part) - len(lines)
            pieces.append(writer.lines(lines))
            await asyncio.sleep(0)
        return b"".join(pieces), unreadable

    async def _commit(self, content: bytes, page: _Page, unreadable: int) -> None:
        parts = [content[start : start + MAX_BLOCK] for start in range(0, len(content), MAX_BLOCK)] or [b""]
        numbers = range(self._blocks, self._blocks + len(parts))
        sealed = [self._seal(no, part) for no, part in zip(numbers, parts, strict=True)]
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await connection.fetchval(
                SQL["advance"],
                self._export_id,
                self._blocks,
                len(parts),
                page.end,
                page.size,
                len(page.rows) - unreadable,
                unreadable,
                len(content),
            )
            if moved is None:
                raise Superseded("The export was cancelled, or moved on by another worker")
            await connection.execute(SQL["add_blocks"], self._export_id, list(numbers), sealed)
        self._blocks += len(parts)
        self._after = page.end

    def _seal(self, no: int, content: bytes) -> bytes:
        return seal_block(self._cipher, self._export_id, "export", no, content, self._rings.random(NONCE_BYTES))


def _line(opener: Opener, row: asyncpg.Record) -> Line | None:
    try:
        content = opener.open_bytes(row["member_id"].bytes, row["sealed"], row["ring_version"], row["wrapped"])
    except Tampered:
        UNREADABLE.inc()
        return None
    address, values = load(content)
    groups, topics = groups_of(row["facets"]), topics_of(row["facets"])
    return Line(row["member_id"], address, row["status"], groups, topics, values, row["created_at"], row["updated_at"])
