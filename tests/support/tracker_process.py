"""A tracker as a process of its own, for tests that kill it: by a DSN, a spool, and where to stand still.

It prints its port once it serves, and the name of the place once it stands there: until it is killed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from core import logs
from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from tests.support.runs import SIGNER
from tracking import batches, spool
from tracking.intake import Pace
from tracking.process import run
from tracking.spool import Adopted, Spool

BEFORE_THE_WRITE, AFTER_THE_SYNC, IN_THE_REPLAY, AFTER_THE_COMMIT = (
    "before_the_write", "after_the_sync", "in_the_replay", "after_the_commit",
)  # fmt: skip
PLACES = (BEFORE_THE_WRITE, AFTER_THE_SYNC, IN_THE_REPLAY, AFTER_THE_COMMIT)

PACE = Pace(events=20, patience=0.3, probe=0.05)


class Tracker:
    """A running process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.port = 0

    async def says(self) -> str:
        """Its next line."""
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()

    async def kill(self) -> None:
        """As the kernel kills: no handler runs."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()


@asynccontextmanager
async def tracker_process(dsn: str, directory: Path, place: str = "") -> AsyncIterator[Tracker]:
    """A tracker that serves, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.tracker_process", dsn, str(directory), place),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    tracker = Tracker(process)
    try:
        tracker.port = int(await tracker.says())
        yield tracker
    finally:
        await tracker.kill()


def say(line: object) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def stand_still(place: str) -> None:
    """Say so, and do nothing more: this thread or loop ends with the process."""
    say(place)
    signal.pause()


def _before(call: Callable[..., Any], place: str, *, times: int = 1) -> Callable[..., Any]:
    """Return `call`, before whose `times`-th time the process stands still."""
    left = times

    def called(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0:
            stand_still(place)
        return call(*arguments, **named)

    return called


def _after(call: Callable[..., Any], place: str) -> Callable[..., Any]:
    def called(*arguments: Any, **named: Any) -> Any:
        call(*arguments, **named)
        stand_still(place)

    return called


def arrange(place: str) -> None:
    """Have the process stand still at `place`."""
    if place == BEFORE_THE_WRITE:
        Spool.append = _before(Spool.append, place)  # type: ignore[method-assign]
    elif place == AFTER_THE_SYNC:
        spool.os.fdatasync = _after(os.fdatasync, place)
    elif place == IN_THE_REPLAY:
        # Its first is tried while Postgres is away, and fails.
        seen: set[object] = set()
        store = batches.store

        async def stored(main: Any, batch: Any, now: float) -> set[int]:
            if seen and batch.batch_id not in seen:
                stand_still(place)
            unknown = await store(main, batch, now)
            seen.add(batch.batch_id)
            return unknown

        batches.store = stored
    elif place == AFTER_THE_COMMIT:
        Adopted.remove = _before(Adopted.remove, place)  # type: ignore[method-assign]


async def main(dsn: str, directory: str) -> None:
    logs.configure("tracker")
    clock = SystemClock()
    pool = await open_pool(dsn, name="tracker")
    try:
        await run(
            pool, SIGNER, pages_url="https://pages.example.jp", spool=Path(directory), spool_bytes=10_000_000,
            on_ready=say, host="127.0.0.1", port=0, stop=asyncio.Event(), clock=clock, new_id=IdSource(clock),
            pace=PACE,
        )  # fmt: skip
    finally:
        await close_pool(pool)


if __name__ == "__main__":
    arrange(sys.argv[3])
    asyncio.run(main(*sys.argv[1:3]))
