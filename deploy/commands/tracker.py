"""`todoku tracker`: pixel, click redirect, one-click unsubscribe."""

from typing import Annotated

import typer

from deploy import ports, process


def tracker(
    slot: Annotated[int, typer.Option(min=0, max=15, help="Its number among this machine's trackers.")] = 0,
) -> None:
    """Take in opens, clicks and unsubscribes; this is what faces the internet."""

    async def serve(this: process.Process) -> None:
        from deploy.wiring import tracker as wired  # noqa: PLC0415 - the command line starts without it

        await wired.serve(this)

    name = f"tracker-{slot}" if slot else "tracker"
    process.run(name, serve, metrics_port=lambda base: ports.tracker_metrics_port(base, slot))
