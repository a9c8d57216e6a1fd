"""The store of imports, as the API sees them: upload, submit, watch, fetch the rejects."""

import os
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core import sql
from core.errors import Conflict, Fault, InvalidInput, NotFound, TooLarge
from members.attributes import load_definitions
from members.consents.ledger import MAX_SOURCE
from members.fence import hold_keys, unless_overtaken
from members.groups import check_groups
from members.imports import report
from members.imports.columns import check_mapping
from members.imports.file import MAX_BLOCK, SealedFile, new_key, open_block, open_key, seal_block
from members.imports.joining import TOPICS, with_topics
from members.imports.options import Format, read_options
from members.imports.rejects import BOM
from members.imports.report import Report
from members.keyring import KeyRings
from members.member import Page
from members.sealing import NONCE_BYTES
from members.topics import check_topics, topic_ids

SQL = sql.load(__package__ or "", "store.sql")

State = Literal["uploading", "waiting", "running", "checked", "finished", "failed", "cancelled"]
MAX_PAGE = 500
MAX_BYTES = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Import:
    """An import. created + updated + unchanged + rejected = rows_done.

    `rows_total` is None until the file was read, about right until its end, and exact then. In a dry run the counts are
    what would have become of the rows, and `checked` is its last state.
    """

    import_id: UUID
    account_id: UUID
    state: State
    dry_run: bool
    format: Format | None
    mapping: Mapping[str, str]
    options: Mapping[str, Any]
    consent_source: str
    bytes: int
    rows_total: int | None
    rows_done: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None


class ImportStore:
    """Imports by account. `max_bytes` bounds a file; `random` returns n random bytes."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        rings: KeyRings,
        new_id: Callable[[], UUID],
        *,
        max_bytes: int = MAX_BYTES,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._pool = pool
        self._rings = rings
        self._new_id = new_id
        self._max_bytes = max_bytes
        self._random = random

    @unless_overtaken
    async def begin(self, account_id: UUID) -> UUID:
        """Open an import in state `uploading` under a key of its own; return its id."""
        import_id = self._new_id()
        ring = await self._rings.ring(account_id)
        version, wrapped = new_key(ring, import_id, self._random)
        async with self._pool.acquire() as connection, connection.transaction():
            await hold_keys(connection, ring)
            await connection.execute(SQL["begin"], import_id, account_id, version, wrapped)
        return import_id

    async def add_block(self, account_id: UUID, import_id: UUID, no: int, content: bytes) -> None:
        """Add block `no` (from 0 without gaps, 1 byte to 1 MiB); sent again it is kept once.

        Raises NotFound, Conflict once submitted, TooLarge.
        """
        row, cipher = await self._uploading(account_id, import_id)
        if not 0 < len(content) <= MAX_BLOCK or row["bytes"] + len(content) > self._max_bytes:
            raise TooLarge(f"A block holds 1 to {MAX_BLOCK} bytes, a file at most {self._max_bytes}")
        sealed = seal_block(cipher, import_id, "file", no, content, self._random(NONCE_BYTES))
        if not await self._pool.fetchval(SQL["add_block"], account_id, import_id, no, sealed, len(content)):
            raise Conflict("The file was submitted already")

    async def submit(
        self,
        account_id: UUID,
        import_id: UUID,
        mapping: Mapping[str, str] | None = None,
        consent_source: str = "",
        options: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
    ) -> Import:
        """Close the file and make it ready for a worker of the pool `jobs` (state `waiting`).

        `mapping`: attribute name or `email` by column title; without one, columns are taken by their names.
        `consent_source`: where the members of the file consented; needed unless the mode is `update` and no topic is
        joined. Options:
        members/imports/options.py. A `dry_run` counts and explains and writes no member. Raises NotFound, Conflict,
        InvalidInput with every fault.
        """
        await self._uploading(account_id, import_id)
        read = read_options(options or {})
        topics = await topic_ids(self._pool, account_id)
        check_mapping(mapping or {}, with_topics(await load_definitions(self._pool, account_id), topics))
        await check_groups(self._pool, account_id, read.groups)
        await check_topics(self._pool, account_id, read.topics, "/topics")
        needs_none = read.mode == "update" and not read.topics and TOPICS not in (mapping or {}).values()
        if not 0 < len(consent_source) <= MAX_SOURCE and not (needs_none and not consent_source):
            fault = Fault("/consent_source", "no-consent", f"Where the members consented: 1 to {MAX_SOURCE} characters")
            raise InvalidInput("An import needs to say where its members consented", [fault])
        blocks = await self._pool.fetchrow(SQL["blocks"], import_id)
        if blocks is None or not blocks["total"] or blocks["last"] != blocks["total"] - 1:
            raise InvalidInput("The file is not whole", [Fault("/file", "blocks-missing", "Some blocks did not come")])
        settings = {"options": read.to_json()}
        row = await self._pool.fetchrow(
            SQL["submit"], account_id, import_id, dict(mapping or {}), consent_source, settings, dry_run
        )
        if row is None:
            raise Conflict("The file was submitted already")
        return _import(row)

    async def apply(self, account_id: UUID, import_id: UUID) -> Import:
        """Make a dry run that is `checked` the real one, which counts anew. Raises NotFound, Conflict."""
        await self.require(account_id, import_id, "checked")
        await SealedFile.forget_seen(self._pool, import_id)
        row = await self._pool.fetchrow(SQL["apply"], account_id, import_id)
        if row is None:
            raise Conflict("It was applied or cancelled in the meantime")
        return _import(row)

    async def cancel(self, account_id: UUID, import_id: UUID) -> Import:
        """End an import that is not over, for good. What was committed stays; its counts say how much.

        Raises NotFound, and Conflict if it has ended already.
        """
        row = await self._pool.fetchrow(SQL["cancel"], account_id, import_id)
        if row is None:
            await self.require(account_id, import_id, "waiting", "running", "checked")
            raise Conflict("The import ended in the meantime")
        await SealedFile.forget(self._pool, import_id)
        return _import(row)

    async def require(self, account_id: UUID, import_id: UUID, *states: State) -> None:
        """Raise NotFound, or Conflict unless the import is in one of these states."""
        found = await self.get(account_id, import_id)
        if found.state not in states:
            raise Conflict(f"The import is {found.state}: this can be done only while it is {' or '.join(states)}")

    async def discard(self, account_id: UUID, import_id: UUID) -> None:
        """Drop an upload that was broken off, with all its blocks; one that was submitted is left alone."""
        await self._pool.execute(SQL["discard"], account_id, import_id)

    async def get(self, account_id: UUID, import_id: UUID) -> Import:
        """Return one import; raise NotFound."""
        row = await self._pool.fetchrow(SQL["get"], account_id, import_id)
        if row is None:
            raise NotFound("No such import")
        return _import(row)

    async def list(self, account_id: UUID, *, after: UUID | None = None, limit: int = 50) -> Page[Import]:
        """Return up to `limit` (≤ 500) imports, newest first, from the cursor on."""
        limit = max(1, min(limit, MAX_PAGE))
        rows = await self._pool.fetch(SQL["list"], account_id, after, limit + 1)
        items = [_import(row) for row in rows[:limit]]
        return Page(items, items[-1].import_id if len(rows) > limit else None)

    async def report(self, account_id: UUID, import_id: UUID) -> Report:
        """Return what the file's first rows show; it is empty until a worker has begun. Raises NotFound."""
        row = await self._pool.fetchrow(SQL["get"], account_id, import_id)
        if row is None:
            raise NotFound("No such import")
        if row["report"] is None:
            return Report()
        cipher = await open_key(self._rings, row)
        return report.read(open_block(cipher, import_id, "report", 0, row["report"]))

    async def rejects(self, account_id: UUID, import_id: UUID) -> AsyncIterator[bytes]:
        """Give out the reject file piece by piece, in the form that the file has, with line and reason.

        CSV is in UTF-8 with a byte order mark. Raises NotFound at the first piece. An import that has not begun has an
        empty one.
        """
        row = await self._pool.fetchrow(SQL["get"], account_id, import_id)
        if row is None:
            raise NotFound("No such import")
        file = SealedFile(self._pool, import_id, await open_key(self._rings, row))
        if _format(row) == "csv":
            yield BOM
        for no in await file.reject_blocks():
            yield await file.reject_block(no)

    async def _uploading(self, account_id: UUID, import_id: UUID) -> tuple[asyncpg.Record, AESGCM]:
        row = await self._pool.fetchrow(SQL["key"], account_id, import_id)
        if row is None:
            await self.get(account_id, import_id)
            raise Conflict("The file was submitted already")
        return row, await open_key(self._rings, row)


def _format(row: asyncpg.Record) -> Format | None:
    """Return the file's format; None until a worker has looked."""
    found = row["settings"].get("found")
    return None if found is None else found.get("format", "csv")


def _import(row: asyncpg.Record) -> Import:
    return Import(
        import_id=row["import_id"],
        account_id=row["account_id"],
        state=row["state"],
        dry_run=row["dry_run"],
        format=_format(row),
        mapping=row["mapping"],
        options=row["settings"].get("options", {}),
        consent_source=row["consent_source"],
        bytes=row["bytes"],
        rows_total=row["rows_total"],
        rows_done=row["rows_done"],
        created=row["created"],
        updated=row["updated"],
        unchanged=row["unchanged"],
        rejected=row["rejected"],
        error=row["error"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
    )
