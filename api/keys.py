"""API keys: 256 random bits, shown once; only their SHA-256 is stored (random keys need no salt)."""

from base64 import b32encode
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import asyncpg

from api import scopes as closed
from core import ids, sql
from core.audit import OPERATOR, Action, AuditLog
from core.errors import Fault, InvalidInput, NotFound
from core.ids import IdSource

SQL = sql.load(__package__ or "", "keys.sql")

PREFIX = "tdk_"
KEY_BYTES = 32
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is known after its creation; `last_used_at` is true to the minute."""

    api_key_id: UUID
    account_id: UUID
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. `token` (`tdk_` and 52 characters) is here and nowhere else."""

    key: ApiKey
    token: str


class KeyStore:
    """Makes, lists, revokes and recognises keys. `random` returns n random bytes.

    Making and revoking are the operator's, at the command line, and stand in the audit log.
    """

    def __init__(self, main: asyncpg.Pool, new_id: IdSource, random: Callable[[int], bytes]) -> None:
        self._main = main
        self._new_id = new_id
        self._audit = AuditLog(main, new_id)
        self._random = random

    async def create(self, account_id: UUID, name: str, scopes: Iterable[str]) -> NewKey:
        """Make a key; raise InvalidInput for an unknown scope or a name that is empty or over 200 characters."""
        allowed = closed.known(scopes)
        if not 0 < len(name.strip()) <= MAX_NAME or not name.isprintable():
            raise InvalidInput("A key needs a name", [Fault("/name", "invalid", f"1 to {MAX_NAME} characters")])
        token = PREFIX + b32encode(self._random(KEY_BYTES)).decode().rstrip("=").lower()
        values = (self._new_id(), account_id, name.strip(), _digest(token), allowed)
        return NewKey(await self._noted(account_id, "api_key.created", SQL["create"], *values), token)

    async def revoke(self, account_id: UUID, api_key_id: UUID) -> ApiKey:
        """End a key at once; raise NotFound for one that this account does not have."""
        return await self._noted(account_id, "api_key.revoked", SQL["revoke"], account_id, api_key_id)

    async def authenticate(self, token: str) -> ApiKey | None:
        """Return the live key that `token` is, or None: unknown and revoked ones take the same way and time."""
        row = await self._main.fetchrow(SQL["authenticate"], _digest(token))
        return None if row is None else _key(row)

    async def list(self, account_id: UUID) -> list[ApiKey]:
        """Return the account's keys, revoked ones too, oldest first."""
        return [_key(row) for row in await self._main.fetch(SQL["list"], account_id)]

    async def _noted(self, account_id: UUID, action: Action, statement: str, *arguments: object) -> ApiKey:
        async with self._main.acquire() as connection, connection.transaction():
            key = _key(await connection.fetchrow(statement, *arguments))
            await self._audit.record(
                account_id,
                OPERATOR,
                action,
                ids.encode("key", key.api_key_id),
                {"scopes": key.scopes},
                connection=connection,
            )
        return key


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _key(row: asyncpg.Record | None) -> ApiKey:
    if row is None:
        raise NotFound("There is no such API key")
    return ApiKey(**{**row, "scopes": tuple(row["scopes"])})
