"""Waiting for what other processes do: asked again and again, for a bounded time, never slept for."""

import asyncio
from collections.abc import Awaitable, Callable

PATIENCE = 30.0


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    """Return once `true()` holds; TimeoutError if it does not within 30 s."""
    async with asyncio.timeout(PATIENCE):
        while not await true():  # noqa: ASYNC110 - another process changes it, and tells nobody
            await asyncio.sleep(0.01)
