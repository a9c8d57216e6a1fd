"""A real mailbox on loopback ports of the system's choosing."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import uvloop

from core import logs
from deploy.mailbox.config import MailboxConfig
from deploy.mailbox.server import serve


@dataclass(frozen=True, slots=True)
class RunningMailbox:
    smtp_port: int
    http_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"


@contextlib.asynccontextmanager
async def running_mailbox(directory: Path, **options: object) -> AsyncIterator[RunningMailbox]:
    config = replace(MailboxConfig(directory, smtp_port=0, http_port=0), **options)
    ready: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(config, stop, on_ready=lambda *ports: ready.set_result(ports)))
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    try:
        yield RunningMailbox(*ready.result())
    finally:
        stop.set()
        await serving


async def _main(directory: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    config = MailboxConfig(directory, smtp_port=0, http_port=0)
    await serve(config, stop, on_ready=lambda *ports: print(*ports, flush=True))  # noqa: T201


if __name__ == "__main__":  # `python -m tests.support.mailbox DIRECTORY`: prints its two ports, ends on SIGTERM
    logs.configure("mailbox")
    uvloop.run(_main(Path(sys.argv[1])))
