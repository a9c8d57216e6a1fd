"""Brings a database to the newest schema: numbered SQL files, each applied once, in one transaction, in order.

A file that was applied and has changed since is refused: history is only added to. Two processes that migrate at
once are serialised by an advisory lock.
"""

from hashlib import sha256
from importlib import resources
from typing import Literal

import asyncpg

from core import sql
from core.errors import ConfigurationError

SQL = sql.load(__package__ or "", "migrations.sql")

Which = Literal["main", "members"]


def available(which: Which) -> list[tuple[str, str]]:
    """Return (name, text) of the migrations of one database, in order."""
    folder = resources.files("core").joinpath("schema", which)
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return [(entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8")) for entry in files]


async def migrate(dsn: str, which: Which) -> list[str]:
    """Apply what is missing to the database at `dsn` (its owner's DSN); return the names applied now."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute(SQL["lock"])
        await connection.execute(SQL["create_ledger"])
        known: dict[str, bytes] = {row["name"]: row["digest"] for row in await connection.fetch(SQL["applied"])}
        applied = []
        for name, text in available(which):
            digest = sha256(text.encode()).digest()
            if name in known:
                if known[name] != digest:
                    raise ConfigurationError(f"The migration {which}/{name} was changed after it had been applied")
                continue
            async with connection.transaction():
                await connection.execute(text)
                await connection.execute(SQL["record"], name, digest)
            applied.append(name)
        return applied
    finally:
        await connection.close(timeout=5)
