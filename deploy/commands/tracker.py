"""`todoku tracker`: pixel, click redirect, one-click unsubscribe."""

from deploy import ports, process


def tracker() -> None:
    """Take in opens, clicks and unsubscribes; this is what faces the internet."""

    async def serve(this: process.Process) -> None:
        from deploy.wiring import tracker as wired  # noqa: PLC0415 - the command line starts without it

        await wired.serve(this)

    process.run("tracker", serve, metrics_port=lambda base: ports.metrics_port(base, "tracker"))
