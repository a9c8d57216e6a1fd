"""The workers of one machine stand in for each other: each holds a journal and replays those whose process is gone.

A worker of the pool `jobs` notes nothing in its own: the lock tells that it is gone, so that its jobs are free at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import asyncpg

from core import logs
from core.database import AWAY, with_retry
from delivery import recovery
from delivery.journal import Journal

REPLAY_EVERY = 5.0
"""Seconds between looks for journals of workers that died beside us."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = logs.get()


@asynccontextmanager
async def beside(main: asyncpg.Pool, directory: Path, owner: UUID) -> AsyncIterator[Journal]:
    """Take over from who died here, then hold the owner's journal; it is removed where the body ends without an error.

    The body must have given the lease up by then: until that, the file is what tells of its open intents.
    """
    boot_id = this_boot()
    await with_retry(lambda: recovery.replay(main, directory, boot_id), what="replay")
    journal = Journal.create(directory, owner=owner, boot_id=boot_id)
    replaying = asyncio.create_task(_replay(main, directory, boot_id), name="neighbours")
    try:
        yield journal
    finally:
        replaying.cancel()
    journal.close(remove=True)


def this_boot() -> str:
    """Return what tells this boot of the machine from any other; where that can't be known, nothing is trusted."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown".ljust(36)


async def _replay(main: asyncpg.Pool, directory: Path, boot_id: str) -> None:
    while True:
        await asyncio.sleep(REPLAY_EVERY)
        try:
            await recovery.replay(main, directory, boot_id)
        except AWAY as error:
            log.warning("database_away", what="replay", error=type(error).__name__)
        except Exception:
            # A statement out of time, say: who ended here for it would be nobody's neighbour any more.
            log.exception("replay_failed")
