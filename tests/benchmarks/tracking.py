"""How many events the tracker commits a second, in one process, and what answering alone would cost it.

The real app under uvicorn and uvloop in a process of its own, Postgres beside it, loaded over keep-alive connections
by wrk: open pixels of 20,000 deliveries. In the same run the same server's bare pixel (fetched unasked, which
counts nothing: routed, its token opened, answered) gives the ratio.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from tempfile import TemporaryDirectory

import asyncpg
import uvloop

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from deploy.process import collect_seldom
from tests.benchmarks import processor_time, wrk
from tests.benchmarks.figure import Figure
from tests.support.runs import SIGNER, make_run
from tests.support.tracker import READER
from tracking.process import run

CONNECTIONS = 256
SECONDS = 4
PACE = 5_000
"""Events a second at which the answer's time is taken, beside those at full load."""
DELIVERIES = 20_000


@dataclass(frozen=True, slots=True)
class _Tracker:
    pid: int
    port: int


async def measure(dsns: Dsns) -> list[Figure]:
    """Load a fresh tracker on the databases at `dsns` for about 20 s; return the figures."""
    main = await open_pool(dsns.main, name="benchmark")
    try:
        sent = await make_run(main, IdSource(SystemClock()), recipients=DELIVERIES)
        with TemporaryDirectory() as directory:
            paths = Path(directory) / "paths"
            paths.write_text("\n".join(sent.open_path(seq) for seq in range(1, DELIVERIES + 1)), encoding="ascii")
            async with _tracker(dsns.main_tracker) as tracker:
                return await _loaded(tracker, main, paths)
    finally:
        await close_pool(main)


async def _loaded(tracker: _Tracker, main: asyncpg.Pool, paths: Path) -> list[Figure]:
    async def ask(*, seconds: int = SECONDS, rate: int = 0, purpose: str | None = None) -> wrk.Answers:
        return await wrk.load(
            tracker.port, paths, seconds=seconds, connections=CONNECTIONS, agent=READER, rate=rate, purpose=purpose
        )

    async def events() -> int:
        return await main.fetchval("SELECT count(*) FROM event")  # type: ignore[no-any-return] # a count

    server = await processor_time.postmaster(main)
    await ask(seconds=1)
    idle = _spent(tracker, server)
    bare = [await ask(purpose="prefetch")]
    bare_spent = processor_time.spent(idle, _spent(tracker, server))["tracker"] / bare[0].answered
    before, spent = await events(), _spent(tracker, server)
    full = await ask()
    spent = processor_time.spent(spent, _spent(tracker, server))
    paced = await ask(rate=PACE)
    stored = await events() - before
    bare.append(await ask(purpose="prefetch"))
    answered = full.answered + paced.answered
    # wrk leaves while the last of each connection are under way: those may be stored, what was answered must be.
    if not answered <= stored <= answered + 2 * CONNECTIONS:
        raise RuntimeError(f"{answered} events were answered and {stored} stored")
    bare_rate = sum(one.rate for one in bare) / len(bare)
    spent["wrk"] = full.processor
    costs = ", ".join(f"{part} {seconds / full.answered * 1e6:.0f}" for part, seconds in spent.items())
    conditions = f"1 tracker process, {CONNECTIONS} connections, Postgres and wrk on the same {os.cpu_count()} cores"
    return [
        Figure(
            name="events_per_second",
            value=full.rate,
            unit="1/s",
            conditions=f"{conditions}; processor time, µs each: {costs}",
        ),
        Figure(
            name="bare_answers_per_second",
            value=bare_rate,
            unit="1/s",
            conditions=f"{conditions}; processor time of the tracker, µs each: {bare_spent * 1e6:.0f}",
        ),
        Figure(name="events_to_bare_answers", value=full.rate / bare_rate, unit="", conditions="the same run"),
        Figure(name="event_p50", value=full.p50_ms, unit="ms", conditions="at full load"),
        Figure(name="event_p99", value=full.p99_ms, unit="ms", conditions="at full load"),
        Figure(name="events_at_pace", value=paced.rate, unit="1/s", conditions=f"{PACE:,} a second asked for"),
        Figure(name="event_p50_at_pace", value=paced.p50_ms, unit="ms", conditions="the same"),
        Figure(name="event_p99_at_pace", value=paced.p99_ms, unit="ms", conditions="the same"),
    ]


def _spent(tracker: _Tracker, server: int) -> dict[str, float]:
    return {"tracker": processor_time.of(tracker.pid), "Postgres": processor_time.of_tree(server)}


@asynccontextmanager
async def _tracker(dsn: str) -> AsyncIterator[_Tracker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.tracking", dsn, stdout=PIPE, env={**os.environ, "PYTHONPATH": "."}
    )
    if process.stdout is None:
        raise RuntimeError("the tracker has no standard output")
    try:
        yield _Tracker(process.pid, int(await process.stdout.readline()))
    finally:
        process.send_signal(SIGTERM)
        await process.wait()


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
        collect_seldom()  # as every service process does
        uvloop.run(_serve(sys.argv[1], spool))
