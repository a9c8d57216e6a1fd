"""`todoku up`: everything on one machine, supervised."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

from core.settings import Settings, load

T = TypeVar("T")


class _Stopped(Exception):  # noqa: N818 - told to stop before the start was over
    pass


def up() -> None:
    """Run everything on this machine, on the embedded Postgres and mailbox unless others are named. Ctrl-C stops it."""
    from core import logs  # noqa: PLC0415 - the command line starts without it

    settings = load()
    # On a terminal the summary is what one came for; what goes wrong is shown there too.
    quiet = sys.stderr.isatty() and settings.log_level == "info"
    logs.configure("up", "warning" if quiet else settings.log_level)
    asyncio.run(_up(settings))


async def _up(settings: Settings) -> None:
    from core.clock import SystemClock  # noqa: PLC0415 - the command line starts without them
    from deploy import data_dir, summary  # noqa: PLC0415
    from deploy.installation import Installation  # noqa: PLC0415
    from deploy.lock import only_one  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    data_dir.make(settings.data_dir)
    with only_one(settings.data_dir):
        installation = Installation(settings, clock=SystemClock())
        try:
            summary.show_summary(await _unless(stop, installation.start()))
            await stop.wait()
        except _Stopped:
            pass
        finally:
            summary.show_stopping()
            await installation.stop()
            summary.show_stopped()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T:
    """Do `work` to its end; raise _Stopped, with the work cancelled, if `stop` is set before."""
    doing, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise _Stopped
    finally:
        stopping.cancel()
        doing.cancel()
        await asyncio.wait({doing})
