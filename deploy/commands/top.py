"""`todoku top`: what is being sent just now, and by whom."""

import asyncio
from contextlib import suppress
from typing import Annotated

import typer

from core.settings import load

EVERY = 1.0
"""Seconds between two frames."""


def top(
    once: Annotated[bool, typer.Option("--once", help="Print one frame and end.")] = False,
) -> None:
    """Show campaigns, sites, sources and workers at a glance, anew every second until Ctrl-C."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_top(once=once))


async def _top(*, once: bool) -> None:
    from rich.console import Console, Group  # noqa: PLC0415 - the command line starts without them
    from rich.live import Live  # noqa: PLC0415

    from core.clock import SystemClock  # noqa: PLC0415
    from core.database import with_retry  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.top.glance import Glance, Lately, look  # noqa: PLC0415
    from deploy.top.picture import picture  # noqa: PLC0415

    clock = SystemClock()
    console = Console(highlight=False)
    lately = Lately()

    def draw(now: Glance, before: Glance | None = None, rows: int = 50) -> Group:
        lately.add(now)
        return picture(now, before, lately=lately, columns=console.width, rows=rows)

    settings = load()
    async with databases.reached(settings, "main", process="top") as main:
        now = await look(main, clock, settings.spool_dir)
        if once or not console.is_terminal:
            console.print(draw(now))
            return
        first = draw(now, rows=console.height)
        with Live(first, console=console, screen=True, auto_refresh=False) as live:
            while True:
                await asyncio.sleep(EVERY)
                before, now = now, await with_retry(lambda: look(main, clock, settings.spool_dir), what="top")
                live.update(draw(now, before, rows=console.height), refresh=True)
