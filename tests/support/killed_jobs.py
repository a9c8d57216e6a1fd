"""Kills the worker of the pool `jobs` in the midst of a long job, again and again."""

import os
import signal
from collections.abc import Awaitable, Callable

from tests.support.service import Service
from tests.support.waiting import eventually

KILLS = 3
AT_ONCE = 30
"""Seconds within which the next worker goes on: fewer than a lease, which is not waited for on the same machine."""


async def killed_in_mid_job(service: Service, done: Callable[[], Awaitable[int]], whole: int) -> None:
    """kill -9 the worker KILLS times, each time once more of the job is `done` than at the last; never `whole`."""
    reached = 0
    for _ in range(KILLS):

        async def further(before: int = reached) -> int:
            now = await done()
            return now if now > before else 0

        await eventually(further, within=AT_ONCE, step=0.005)
        pid = service.pid("worker-jobs-0")
        os.kill(pid, signal.SIGKILL)
        await service.replaced("worker-jobs-0", pid)
        reached = await done()
        assert reached < whole, "the job was over before its worker was killed"
