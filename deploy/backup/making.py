"""Makes both sets of a backup from one moment, while everything runs.

Each database is held at a snapshot, taken of both before either is dumped, so that vault and keys fit together and no
recipient stands in the main database whose member is not in the vault yet. If anything fails, no set appears.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg
import orjson

from core import sql
from deploy.backup import sets
from deploy.backup.replaying import ERASED
from deploy.postgres import client

SQL = sql.load(__package__ or "", "making.sql")

KEYS_SCHEMA = "keys"
MAIN, MEMBERS, KEYS = "main.dump", "members.dump", "keys.dump"


@dataclass(frozen=True, slots=True)
class Made:
    """Where the two sets are."""

    databases: Path
    keys: Path


@dataclass(frozen=True, slots=True)
class _Held:
    """A database held at a snapshot by an open transaction."""

    connection: asyncpg.Connection
    dsn: str
    snapshot: str

    async def dump(self, to: Path, *options: str) -> None:
        arguments = ("--format=custom", f"--snapshot={self.snapshot}", f"--file={to}", *options)
        await asyncio.to_thread(client.run, "pg_dump", *arguments, dsn=self.dsn)


async def back_up(
    main: str, members: str, to: Path, keys_to: Path, *, now: datetime, say: Callable[[str], None]
) -> Made:
    """Back up the databases at two owners' DSNs into a set below `to`, the keys into one below `keys_to`.

    `say` is told of each step. Raises ConfigurationError for a place that can't be written to, ProgramFailed.
    """
    async with _held(main) as of_main, _held(members) as of_members:
        versions = await _versions(of_main, of_members)
        with (
            sets.made(keys_to, "keys", now, versions) as (keys, keys_become),
            sets.made(to, "databases", now, versions) as (databases, databases_become),
        ):
            for held, path, options in (
                (of_main, databases / MAIN, ()),
                (of_members, databases / MEMBERS, (f"--exclude-schema={KEYS_SCHEMA}",)),
                (of_members, keys / KEYS, (f"--schema={KEYS_SCHEMA}",)),
            ):
                await held.dump(path, *options)
                say(f"{path.name}: {path.stat().st_size:,} bytes")
            count = await _write_erased(of_members.connection, keys / ERASED)
            say(f"{ERASED}: {count:,} erased members")
    return Made(databases_become, keys_become)


@asynccontextmanager
async def _held(dsn: str) -> AsyncIterator[_Held]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield _Held(connection, dsn, await connection.fetchval(SQL["export_snapshot"]))
    finally:
        await connection.close(timeout=5)


async def _versions(main: _Held, members: _Held) -> dict[str, str]:
    found = {"todoku": version("todoku")}
    for name, held in (("main", main), ("members", members)):
        found[f"{name} server"] = await held.connection.fetchval(SQL["server_version"])
        found[f"{name} schema"] = await held.connection.fetchval(SQL["newest_migration"])
    return found


async def _write_erased(connection: asyncpg.Connection, path: Path) -> int:
    count = 0
    with path.open("wb") as file:
        async for row in connection.cursor(SQL["erased"], prefetch=1_000):
            file.write(orjson.dumps(dict(row), default=str, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count
