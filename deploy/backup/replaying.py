"""Repeats in restored databases what happened after the backup, as far as a file or another database still knows it.

Erasures first, then stops and suppressions; each may be repeated any number of times. What is lifted since (a stop, a
suppression) stays in force until it is lifted anew: where it is not known, nobody is written to.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from core import sql
from core.errors import ConfigurationError

SQL = sql.load(__package__ or "", "replaying.sql")

ERASED = "erased.jsonl"
"""The file of a set of keys that says who was erased: a line a member."""
_AT_ONCE = 1_000

Batch = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many of each were repeated and were not there yet."""

    erasures: int = 0
    stops: int = 0
    suppressions: int = 0

    def __add__(self, other: "Replayed") -> "Replayed":
        """Return both together."""
        return Replayed(*(one + two for one, two in zip(astuple(self), astuple(other), strict=True)))


async def replay(source: str, main: asyncpg.Connection, members: asyncpg.Connection) -> Replayed:
    """Repeat what `source` knows: the `erased.jsonl` of a set of keys, such a set, or a DSN of either database.

    Raises ConfigurationError if it can't be read.
    """
    if "://" in source:
        return await _from_database(source, main, members)
    erasures = 0
    async with members.transaction():
        for batch in _batches_of(Path(source)):
            erasures += await members.fetchval(SQL["erase"], *_columns(batch))
    return Replayed(erasures=erasures)


async def _from_database(dsn: str, main: asyncpg.Connection, members: asyncpg.Connection) -> Replayed:
    try:
        source = await asyncpg.connect(dsn, timeout=10)
    except (OSError, ValueError, asyncpg.PostgresError) as error:
        raise ConfigurationError(f"What to replay can't be reached ({type(error).__name__})") from None
    try:
        if await source.fetchval(SQL["is_main"]):
            return Replayed(stops=await _copied(source, "stops", main, "stop"))
        erasures = await _copied(source, "erasures", members, "erase")
        suppressions = await _copied(source, "suppressions", members, "suppress")
        suppressions += await _copied(source, "global_suppressions", members, "suppress_globally")
        return Replayed(erasures=erasures, suppressions=suppressions)
    finally:
        await source.close(timeout=5)


async def _copied(source: asyncpg.Connection, what: str, target: asyncpg.Connection, statement: str) -> int:
    added = 0
    async with source.transaction(readonly=True), target.transaction():
        async for batch in _read(source, SQL[what]):
            added += await target.fetchval(SQL[statement], *_columns(batch))
    return added


async def _read(source: asyncpg.Connection, statement: str) -> AsyncIterator[Batch]:
    cursor = await source.cursor(statement)
    while rows := await cursor.fetch(_AT_ONCE):
        yield [tuple(row) for row in rows]


def _batches_of(path: Path) -> list[Batch]:
    file = path / ERASED if path.is_dir() else path
    try:
        lines = file.read_bytes().splitlines()
        rows = [_tombstone(orjson.loads(line)) for line in lines]
    except OSError as error:
        raise ConfigurationError(f"{file} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise ConfigurationError(f"{file} is not a list of erased members, as `todoku backup` writes it") from None
    return [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]


def _tombstone(entry: Mapping[str, str]) -> tuple[Any, ...]:
    return UUID(entry["account_id"]), UUID(entry["member_id"]), datetime.fromisoformat(entry["erased_at"])


def _columns(batch: Batch) -> list[list[Any]]:
    return [list(column) for column in zip(*batch, strict=True)]
