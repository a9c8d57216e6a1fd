"""`todoku scheduler`: starts campaigns on time, keeps house."""

from deploy import ports, process


def scheduler() -> None:
    """Start campaigns on time, cut due work, fold counters; any number may run."""

    async def serve(this: process.Process) -> None:
        from deploy.wiring import scheduler as wired  # noqa: PLC0415 - the command line starts without it

        await wired.serve(this)

    process.run("scheduler", serve, metrics_port=lambda base: ports.metrics_port(base, "scheduler"))
