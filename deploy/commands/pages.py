"""`todoku pages`: the members' own pages."""

from deploy import ports, process


def pages() -> None:
    """Serve the members' own pages: sign-up, confirmation; this faces the internet."""

    async def serve(this: process.Process) -> None:
        from deploy.wiring import pages as wired  # noqa: PLC0415 - the command line starts without it

        await wired.serve(this)

    process.run("pages", serve, metrics_port=lambda base: ports.metrics_port(base, "pages"))
