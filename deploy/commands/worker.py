"""`todoku worker`: sends mail, or does the jobs that need keys."""

from enum import StrEnum
from typing import Annotated

import typer

from deploy import ports, process


class Pool(StrEnum):
    """Which work a worker takes."""

    BULK = "bulk"
    FAST = "fast"
    JOBS = "jobs"


def worker(
    pool: Annotated[
        Pool, typer.Option(help="bulk: campaigns. fast: tests and other urgent mail. jobs: imports and audiences.")
    ] = Pool.BULK,
    slot: Annotated[int, typer.Option(min=0, help="Its number among this machine's workers of the pool.")] = 0,
) -> None:
    """Send mail: one process a core, on any number of machines."""

    async def serve(this: process.Process) -> None:
        if pool is Pool.JOBS:
            from deploy.wiring import jobs  # noqa: PLC0415 - the command line starts without it

            await jobs.serve(this, slot)
        else:
            from deploy.wiring import worker  # noqa: PLC0415

            await worker.serve(this, pool.value, slot)

    process.run(
        f"worker-{pool.value}-{slot}",
        serve,
        metrics_port=lambda base: ports.worker_metrics_port(base, pool.value, slot),
    )
