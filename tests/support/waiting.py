"""Waiting for what other processes do: asked again and again, for a bounded time, never slept for."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(asked: Callable[[], Awaitable[T]], *, within: float = 30, step: float = 0.02) -> T:
    """Return what `asked` returns once that is true; AssertionError if it is not within so many seconds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not (answer := await asked()):
        assert loop.time() < end, "it did not come to pass in time"
        await asyncio.sleep(step)
    return answer
