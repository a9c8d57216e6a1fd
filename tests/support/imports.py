"""Imports and exports as the API and the jobs worker run them, for tests."""

import csv
import io
from collections.abc import Callable
from typing import Any
from uuid import UUID

import asyncpg

from core.clock import Clock
from core.ids import IdSource
from members.imports import Import, ImportStore, run_import
from members.imports.file import MAX_BLOCK
from members.keyring import KeyRings
from members.members import MemberStore


class Imports:
    """Uploads and works files of one account."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock) -> None:
        self.pool, self.rings, self.account, self.new_id, self.clock = pool, rings, account, new_id, clock
        self.store = ImportStore(pool, rings, new_id)
        self.members = MemberStore(pool, rings, new_id)

    async def upload(
        self,
        content: bytes,
        mapping: dict[str, str] | None = None,
        block: int = MAX_BLOCK,
        *,
        dry_run: bool = False,
        **options: Any,
    ) -> UUID:
        """Upload and submit a file; return its import."""
        import_id = await self.store.begin(self.account)
        for no, start in enumerate(range(0, len(content), block)):
            await self.store.add_block(self.account, import_id, no, content[start : start + block])
        await self.store.submit(self.account, import_id, mapping, "2026-form", options, dry_run=dry_run)
        return import_id

    async def work(self, import_id: UUID, alive: Callable[[], bool] = lambda: True) -> Import:
        """Run an import as a worker does; return what it came to."""
        await run_import(self.pool, self.rings, import_id, self.new_id, self.clock, alive)
        return await self.store.get(self.account, import_id)

    async def through(self, content: bytes, mapping: dict[str, str] | None = None, **options: Any) -> Import:
        """Upload a file and run its import."""
        return await self.work(await self.upload(content, mapping, **options))

    async def rejects(self, done: Import) -> list[dict[str, str]]:
        """Return the lines of the reject file, of CSV."""
        content = b"".join([piece async for piece in self.store.rejects(self.account, done.import_id)])
        return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))

    async def reject_file(self, done: Import) -> bytes:
        """Return the reject file as it is downloaded."""
        return b"".join([piece async for piece in self.store.rejects(self.account, done.import_id)])


def counters(done: Import) -> tuple[int, int, int, int]:
    """Return how many were created, updated, left as they were, rejected."""
    return done.created, done.updated, done.unchanged, done.rejected
