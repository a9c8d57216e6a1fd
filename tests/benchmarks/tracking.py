"""How many events the tracker commits a second, in one process, and what answering alone would cost it.

The real app under uvicorn and uvloop in a process of its own, Postgres beside it, loaded over keep-alive connections
by this process: open pixels of 20,000 deliveries. In the same run the same server's bare pixel (HEAD of an authentic
token: routed, opened, nothing stored) gives the ratio.
"""

import asyncio
import os
import statistics
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from signal import SIGTERM
from tempfile import TemporaryDirectory
from typing import TypedDict

import uvloop

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from tests.support.runs import SIGNER, make_run
from tests.support.tracker import READER
from tracking.process import run

CONNECTIONS = 256
SECONDS = 2.0
PACE = 5_000
"""Events a second at which the answer's time is taken, beside the time at full load."""
DELIVERIES = 20_000


class Figure(TypedDict):
    """One line of the benchmark's table."""

    name: str
    value: float
    unit: str
    conditions: str


async def measure(dsns: Dsns) -> list[Figure]:
    """Load a fresh tracker on the databases at `dsns` for about 5 s; return the figures."""
    clock = SystemClock()
    main = await open_pool(dsns.main, name="benchmark")
    try:
        sent = await make_run(main, IdSource(clock), recipients=DELIVERIES)
        paths = [sent.open_path(seq) for seq in range(1, DELIVERIES + 1)]
        async with _tracker(dsns.main_tracker) as port:
            await _load(port, "GET", paths, 0.3, clock)
            before = await main.fetchval("SELECT count(*) FROM event")
            bare, _ = await _load(port, "HEAD", paths, SECONDS / 2, clock)
            events, latencies = await _load(port, "GET", paths, SECONDS, clock)
            _, paced = await _load(port, "GET", paths, SECONDS, clock, rate=PACE)
            more, _ = await _load(port, "HEAD", paths, SECONDS / 2, clock)
            bare = (bare + more) / 2
            stored = await main.fetchval("SELECT count(*) FROM event") - before
    finally:
        await close_pool(main)
    if stored != len(latencies) + len(paced):
        raise RuntimeError(f"{len(latencies) + len(paced)} events were answered and {stored} stored")
    conditions = f"1 tracker process, {CONNECTIONS} connections, Postgres and load on the same {os.cpu_count()} cores"
    cuts = statistics.quantiles(latencies, n=100)
    return [
        Figure(name="events_per_second", value=round(events), unit="1/s", conditions=conditions),
        Figure(name="bare_answers_per_second", value=round(bare), unit="1/s", conditions=conditions),
        Figure(name="events_to_bare_answers", value=round(events / bare, 3), unit="", conditions=conditions),
        Figure(
            name="event_p99_at_pace",
            value=round(statistics.quantiles(paced, n=100)[98] * 1000, 1),
            unit="ms",
            conditions=f"{PACE:,} events/s asked for; {conditions}",
        ),
        Figure(name="event_p50", value=round(cuts[49] * 1000, 1), unit="ms", conditions=conditions),
        Figure(name="event_p99", value=round(cuts[98] * 1000, 1), unit="ms", conditions=conditions),
    ]


@asynccontextmanager
async def _tracker(dsn: str) -> AsyncIterator[int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.tracking", dsn, stdout=PIPE, env={**os.environ, "PYTHONPATH": "."}
    )
    if process.stdout is None:
        raise RuntimeError("the tracker has no standard output")
    try:
        yield int(await process.stdout.readline())
    finally:
        process.send_signal(SIGTERM)
        await process.wait()


async def _load(
    port: int, method: str, paths: list[str], seconds: float, clock: SystemClock, *, rate: float | None = None
) -> tuple[float, list[float]]:
    """Keep all connections busy for `seconds`, or ask `rate` times a second; give answers a second, and each one's."""
    head = f"HTTP/1.1\r\nhost: t\r\nuser-agent: {READER}\r\naccept: image/*\r\n\r\n"
    requests = cycle([f"{method} {path} {head}".encode() for path in paths])
    latencies: list[float] = []
    began = clock.monotonic()
    end = began + seconds

    async def converse() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        turns = 0
        while (at := clock.monotonic()) < end:
            if rate is not None:
                # In turns of its own, whatever the last answer took.
                turns += 1
                at = max(at, began + turns * CONNECTIONS / rate)
                await asyncio.sleep(at - clock.monotonic())
            writer.write(next(requests))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError("the tracker refused: " + head[:20].decode())
            if method == "GET":
                await reader.readexactly(43)
            latencies.append(clock.monotonic() - at)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(converse() for _ in range(CONNECTIONS)))
    return len(latencies) / (clock.monotonic() - began), latencies


async def _serve(dsn: str, spool: str) -> None:
    clock, stop = SystemClock(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(SIGTERM, stop.set)
    pool = await open_pool(dsn, name="tracker")
    await run(
        pool,
        SIGNER,
        pages_url="http://127.0.0.1",
        spool=Path(spool),
        spool_bytes=100_000_000,
        host="127.0.0.1",
        port=0,
        stop=stop,
        clock=clock,
        new_id=IdSource(clock),
        on_ready=lambda port: print(port, flush=True),  # noqa: T201
    )
    await close_pool(pool)


if __name__ == "__main__":
    with TemporaryDirectory() as spool:
        uvloop.run(_serve(sys.argv[1], spool))
