"""The store of exports, as the API sees them: order one, watch it, fetch its file, end it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, NotFound
from members.attributes import load_definitions
from members.audience import AudienceSource
from members.exports.columns import check_columns, default_columns
from members.exports.writing import Format
from members.fence import hold_keys, unless_overtaken
from members.imports.file import new_key, open_block, open_key
from members.keyring import KeyRings
from members.member import Page

SQL = sql.load(__package__ or "", "store.sql")

State = Literal["waiting", "running", "finished", "failed", "cancelled"]
MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class Export:
    """An export. Of `rows_total` members (None before it begins) `rows_done` were looked at, `written` are in the file.

    `unreadable` ones should be and could not be opened; `bytes` is the file's length.
    """

    export_id: UUID
    state: State
    format: Format
    bom: bool
    columns: Sequence[str]
    audience: Mapping[str, Any]
    rows_total: int | None
    rows_done: int
    written: int
    unreadable: int
    bytes: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime


class ExportStore:
    """Exports by account. `keep`: seconds for which a file can be fetched."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings, audiences: AudienceSource, *, keep: float) -> None:
        self._pool = pool
        self._rings = rings
        self._audiences = audiences
        self._keep = keep

    @unless_overtaken
    async def begin(
        self,
        account_id: UUID,
        export_id: UUID,
        wanted: Mapping[str, Any],
        *,
        format_: Format = "csv",
        columns: Sequence[str] | None = None,
        bom: bool = True,
    ) -> Export:
        """Make an export ready for a worker of the pool `jobs`; raise InvalidInput for what there is not.

        `wanted` is an audience as a campaign has one (AudienceSource.resolve), compiled now: a segment that is changed
        afterwards changes nothing. All of it is exported, whatever a member's status.
        """
        audience = await self._audiences.resolve(account_id, wanted)
        definitions = await load_definitions(self._pool, account_id)
        columns = default_columns(definitions) if columns is None else list(columns)
        check_columns(columns, definitions)
        ring = await self._rings.ring(account_id)
        version, wrapped = new_key(ring, export_id, self._rings.random)
        settings = {
            "format": format_, "bom": bom, "columns": columns, "audience": dict(wanted), "rule": audience.rule
        }  # fmt: skip
        async with self._pool.acquire() as connection, connection.transaction():
            await hold_keys(connection, ring)
            row = await connection.fetchrow(
                SQL["begin"], export_id, account_id, settings, version, wrapped, self._keep, audience.at
            )
        return _export(row)

    async def get(self, account_id: UUID, export_id: UUID) -> Export:
        """Return one export; raise NotFound."""
        return _export(await self._pool.fetchrow(SQL["get"], account_id, export_id))

    async def list(self, account_id: UUID, *, after: UUID | None = None, limit: int = 50) -> Page[Export]:
        """Return up to `limit` (≤ 500) exports, newest first, from the cursor on."""
        limit = max(1, min(limit, MAX_PAGE))
        rows = await self._pool.fetch(SQL["list"], account_id, after, limit + 1)
        items = [_export(row) for row in rows[:limit]]
        return Page(items, items[-1].export_id if len(rows) > limit else None)

    async def require_finished(self, account_id: UUID, export_id: UUID) -> Export:
        """Return an export whose file is whole; raise NotFound, or Conflict for one that has none."""
        found = await self.get(account_id, export_id)
        if found.state != "finished":
            raise Conflict(f"The export is {found.state}: there is a file only once it is finished")
        return found

    async def file(self, account_id: UUID, export_id: UUID) -> AsyncIterator[bytes]:
        """Give out the file piece by piece; raise NotFound or Tampered."""
        row = await self._pool.fetchrow(SQL["get"], account_id, export_id)
        if row is None:
            raise NotFound("No such export")
        cipher = await open_key(self._rings, row, "export_id")
        for no in range(row["blocks"]):
            sealed = await self._pool.fetchval(SQL["block"], export_id, no)
            if sealed is None:
                raise NotFound("The export's time was over")
            yield open_block(cipher, export_id, "export", no, sealed)

    async def cancel(self, account_id: UUID, export_id: UUID) -> Export:
        """End an export and drop what there is of its file; raise NotFound, or Conflict if it has none any more."""
        row = await self._pool.fetchrow(SQL["cancel"], account_id, export_id)
        if row is None:
            found = await self.get(account_id, export_id)
            raise Conflict(f"The export is {found.state}")
        while not (await self._pool.execute(SQL["forget_blocks"], export_id)).endswith(" 0"):
            pass
        return _export(row)


def _export(row: asyncpg.Record | None) -> Export:
    if row is None:
        raise NotFound("No such export")
    settings = row["settings"]
    return Export(
        export_id=row["export_id"],
        state=row["state"],
        format=settings["format"],
        bom=settings["bom"],
        columns=settings["columns"],
        audience=settings["audience"],
        rows_total=row["rows_total"],
        rows_done=row["rows_done"],
        written=row["written"],
        unreadable=row["unreadable"],
        bytes=row["bytes"],
        error=row["error"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        expires_at=row["expires_at"],
    )
