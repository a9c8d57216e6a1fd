"""A scheduler as a process of its own, for tests that kill it; its arguments are two DSNs, main and stops."""

import asyncio
import sys

from core import logs
from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.settings import Settings
from scheduler.process import run
from scheduler.webhooks.signing import WebhookKeys


async def main(main_dsn: str, stops_dsn: str) -> None:
    logs.configure("scheduler")
    main_pool = await open_pool(main_dsn, name="scheduler")
    stops_pool = await open_pool(stops_dsn, name="scheduler")
    try:
        await run(
            settings=Settings(),
            main=main_pool,
            stops_pool=stops_pool,
            webhook_keys=WebhookKeys({1: bytes(32)}, 1),
            clock=SystemClock(),
            jitter=lambda: 0.0,
            stop=asyncio.Event(),
        )
    finally:
        await close_pool(main_pool)
        await close_pool(stops_pool)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
