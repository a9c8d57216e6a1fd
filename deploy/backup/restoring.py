"""Brings a backup back into two empty databases, brings those to today's schema, and lets nothing be sent.

A restore forgets: who was erased, who left, what was sent since the backup. Erasures that the keys' set knows are
repeated; what else `replaying` is given is, too; and every run comes up paused, with the reason, until a person resumes
it.
A restore that fails leaves databases that are not empty: drop them, make them anew, and begin again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from core import sql
from core.errors import ConfigurationError
from core.migrations import Which, migrate
from deploy.backup import making, replaying, sets
from deploy.backup.replaying import Replayed
from deploy.postgres import client

SQL = sql.load(__package__ or "", "restoring.sql")


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore came to: how many runs wait for a person, and what was repeated of later days."""

    paused: int
    replayed: Replayed


async def restore(
    databases: Path,
    keys: Path,
    main: str,
    members: str,
    *,
    replay: Sequence[str],
    say: Callable[[str], None],
) -> Restored:
    """Restore the sets into the empty databases of two owners' DSNs.

    `replay`: where more is known of what happened since, as `replaying.read` takes it. Raises ConfigurationError if a
    database is not empty, Tampered if a file of a set is not what its manifest says, ProgramFailed.
    """
    manifest = sets.check(databases, "databases")
    sets.check(keys, "keys")
    for dsn in (main, members):
        await _refuse_unless_empty(dsn)
    for path, dsn in (
        (databases / making.MAIN, main),
        (databases / making.MEMBERS, members),
        (keys / making.KEYS, members),
    ):
        await asyncio.to_thread(_bring_back, path, dsn)
        say(f"{path.name}: restored")
    both: Sequence[tuple[Which, str]] = (("main", main), ("members", members))
    for which, dsn in both:
        for name in await migrate(dsn, which):
            say(f"{which}: brought to {name}")
    reason = f"restored from a backup of {manifest.made_at:%Y-%m-%d %H:%M} UTC: what was sent since then is not known"
    async with _connected(main) as of_main, _connected(members) as of_members:
        paused = await _hold_all(of_main, reason)
        replayed = Replayed()
        for source in (str(keys / replaying.ERASED), *replay):
            replayed += await replaying.replay(source, of_main, of_members)
        await of_members.execute(SQL["drop_keys_of_nobody"])
    return Restored(paused, replayed)


async def _hold_all(main: asyncpg.Connection, reason: str) -> int:
    async with main.transaction():
        await main.execute(SQL["begin_scheduled"])
        held: int = await main.fetchval(SQL["hold_all"], reason)
        return held


def _bring_back(path: Path, dsn: str) -> None:
    # Whoever restores owns it, whatever the owner was called; grants to the service's roles come along.
    client.run("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", str(path), dsn=dsn)


async def _refuse_unless_empty(dsn: str) -> None:
    async with _connected(dsn) as connection:
        if not await connection.fetchval(SQL["is_empty"]):
            raise ConfigurationError("A restore needs empty databases: there are tables in one already")


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)
