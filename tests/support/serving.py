"""A server of our own that runs in this process for as long as a test needs it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

Serve = Callable[[asyncio.Event, Callable[[int], None]], Coroutine[Any, Any, None]]
"""Serves until the event is set, and tells the port that it listens on."""


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """Run `serve` for the block: its port. What it raises before it listens is raised here."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    serving = asyncio.create_task(serve(stop, ready.set_result))
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if not ready.done():
            await serving
        yield ready.result()
    finally:
        stop.set()
        await serving
