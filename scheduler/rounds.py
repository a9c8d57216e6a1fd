"""Takes up small work as it comes, round after round: what somebody waits for and no lease is worth.

A round is safe to run in any number of processes at once: it locks what it takes, and commits it whole or not at all.
One that fails is logged and begun again; a database that is away is waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from core import logs
from core.database import AWAY

log = logs.get()

Step = Callable[[], Awaitable[int]]
"""Takes up what is there, at most a batch; returns how much that was."""

IDLE_SECONDS = 0.2
FAILED_SECONDS = 1.0


async def follow(name: str, step: Step, *, stop: asyncio.Event, alive: Callable[[], bool]) -> None:
    """Take `step` until `stop` is set: again at once while there is work, else every 0.2 s; not while not `alive`."""
    while not stop.is_set():
        wait = IDLE_SECONDS
        if alive():
            try:
                wait = 0.0 if await step() else IDLE_SECONDS
            except AWAY as error:
                log.warning("database_away", what=name, error=type(error).__name__)
                wait = FAILED_SECONDS
            except Exception:
                log.exception("round_failed", name=name)
                wait = FAILED_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await stop.wait()
