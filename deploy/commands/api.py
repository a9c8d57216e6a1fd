"""`todoku api`: REST under /v1."""

from deploy import ports, process


def api() -> None:
    """Serve the REST API."""

    async def serve(this: process.Process) -> None:
        from deploy.wiring import api as wired  # noqa: PLC0415 - the command line starts without it

        await wired.serve(this)

    process.run("api", serve, metrics_port=lambda base: ports.metrics_port(base, "api"))
