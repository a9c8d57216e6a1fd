"""`todoku top`: what is being sent just now, and by whom."""

import asyncio
from contextlib import suppress
from typing import Annotated

import typer

from core.settings import load

EVERY = 1.0
"""Seconds between two frames."""
WIDE = 140
"""Columns from which on there is room for everything."""


def top(
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
) -> None:
    """Show runs, rates, workers and what waits, anew every second until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_top(once=once))


async def _top(*, once: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - the command line starts without them
    from rich.live import Live  # noqa: PLC0415

    from core.clock import SystemClock  # noqa: PLC0415
    from core.database import with_retry  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.top import look, picture  # noqa: PLC0415

    clock = SystemClock()
    console = Console(highlight=False)
    async with databases.reached(load(), "main", process="top") as main:
        now = await look(main, clock)
        if once or not console.is_terminal:
            console.print(picture(now, wide=console.width >= WIDE))
            return
        with Live(picture(now, wide=console.width >= WIDE), console=console, screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(EVERY)
                before, now = now, await with_retry(lambda: look(main, clock), what="top")
                live.update(picture(now, before, wide=console.width >= WIDE), refresh=True)
