"""The audit log: who looked for members, took them out, erased them, or changed what opens them.

An entry is written before its deed is done, or its answer given: nothing is done without one, and one whose deed then
failed may stand there (its caller saw the failure). Where the log can't be written the deed is refused. The table is
insert-only; the operator's setting says after how long entries go.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import ids, sql

SQL = sql.load(__package__ or "", "audit.sql")

Action = Literal[
    "member.searched",
    "member.exported",
    "member.erased",
    "import.rejects_downloaded",
    "export.created",
    "export.downloaded",
    "suppression.exported",
    "attribute.protection_changed",
    "account_key.added",
    "account_key.promoted",
    "account_key.resealed",
    "account_key.retired",
    "account_key.rewrapped",
    "api_key.created",
    "api_key.revoked",
    "account.changed",
]
"""What is recorded. The database holds the same list."""

Plain: TypeAlias = int | float | bool | str | None
Detail: TypeAlias = Mapping[str, Plain | Sequence[Plain]]

OPERATOR = "operator"
"""The actor of what is done at the command line."""

_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One deed. `actor`: an API key's id as it is shown, or `operator`; `object`: an id, or the name of a list."""

    audit_id: UUID
    actor: str
    action: Action
    object: str
    detail: Mapping[str, Any]
    occurred_at: datetime


class AuditLog:
    """Writes and reads the log. `new_id` makes the entries' ids."""

    def __init__(self, main: asyncpg.Pool, new_id: Callable[[], UUID]) -> None:
        self._main = main
        self._new_id = new_id

    async def record(
        self,
        account_id: UUID,
        actor: str,
        action: Action,
        object_: str,
        detail: Detail | None = None,
        *,
        connection: asyncpg.Connection | PoolConnectionProxy | None = None,
    ) -> None:
        """Add an entry, in `connection`'s transaction if one is given, else at once.

        `actor` is `key_actor(…)` or OPERATOR, `object_` an id as it is shown, or a word. `detail` holds figures, ids
        and names of fields; a text that could be a person's raises ValueError.
        """
        told = dict(detail or {})
        if not all(_is_plain(value) for value in told.values()):
            raise ValueError("The audit log holds figures, ids and names of fields alone")
        await (connection or self._main).execute(
            SQL["record"], self._new_id(), account_id, actor, action, object_, told
        )

    async def newest(
        self, account_id: UUID, *, before: UUID | None = None, action: Action | None = None, limit: int = 50
    ) -> Sequence[Entry]:
        """Return at most `limit` entries, newest first, from the one that stands before `before`."""
        return [Entry(**row) for row in await self._main.fetch(SQL["newest"], account_id, before, action, limit)]


def key_actor(api_key_id: UUID) -> str:
    """Return what stands as actor for an API key."""
    return ids.encode("key", api_key_id)


async def forget(main: asyncpg.Pool, kept_days: int) -> None:
    """Delete entries that are older than `kept_days`, at least 90."""
    await main.execute(SQL["forget"], kept_days)


def _is_plain(value: Plain | Sequence[Plain]) -> bool:
    if isinstance(value, str):
        return _WORD.fullmatch(value) is not None
    if isinstance(value, Sequence):
        return all(_is_plain(one) for one in value)
    return value is None or isinstance(value, int | float)
