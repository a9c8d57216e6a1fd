"""How many events trackers commit a second, one process and two on one port, and what answering alone would cost.

The real tracker under uvloop in a process of its own, Postgres beside it, loaded over keep-alive connections by wrk:
open pixels of 20,000 deliveries. In the same run the same server's bare pixel (fetched unasked, which counts nothing:
routed, its token opened, answered) gives the ratio. Then two processes share a port, as TODOKU_TRACKERS=2 has them: on
two cores, which Postgres and wrk need too, they can't do twice as much; both must work, and each answer be stored.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
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
LEAST_PART = 0.1
"""Of the processor time of both trackers; the kernel gives each about half of the connections."""


@dataclass(frozen=True, slots=True)
class _Trackers:
    pids: Sequence[int]
    port: int


async def measure(dsns: Dsns) -> list[Figure]:
    """Load a fresh tracker on the databases at `dsns` for about 20 s; return the figures."""
    main = await open_pool(dsns.main, name="benchmark")
    try:
        sent = await make_run(main, IdSource(SystemClock()), recipients=DELIVERIES)
        with TemporaryDirectory() as directory:
            paths = Path(directory) / "paths"
            paths.write_text("\n".join(sent.open_path(seq) for seq in range(1, DELIVERIES + 1)), encoding="ascii")
            async with _trackers(dsns.main_tracker, 1) as one:
                figures = await _alone(_Load(one, main, paths))
            async with _trackers(dsns.main_tracker, 2) as two:
                figures.append(await _together(_Load(two, main, paths)))
            return figures
    finally:
        await close_pool(main)


class _Load:
    """What is asked of trackers, and whether each answer is stored once."""

    def __init__(self, trackers: _Trackers, main: asyncpg.Pool, paths: Path) -> None:
        self.trackers = trackers
        self.main = main
        self._paths = paths

    async def ask(self, *, seconds: int = SECONDS, rate: int = 0, purpose: str | None = None) -> wrk.Answers:
        port, agent = self.trackers.port, READER
        return await wrk.load(
            port, self._paths, seconds=seconds, connections=CONNECTIONS, agent=agent, rate=rate, purpose=purpose
        )

    async def events(self) -> int:
        return await self.main.fetchval("SELECT count(*) FROM event")  # type: ignore[no-any-return] # a count

    async def require_stored(self, before: int, *answers: wrk.Answers) -> None:
        # wrk leaves while the last of each connection are under way: those may be stored, what was answered must be. So
        # may those that an earlier load left.
        answered, stored = sum(one.answered for one in answers), await self.events() - before
        if not answered <= stored <= answered + (1 + len(answers)) * CONNECTIONS:
            raise RuntimeError(f"{answered} events were answered and {stored} stored")


async def _alone(load: _Load) -> list[Figure]:
    server = await processor_time.postmaster(load.main)
    await load.ask(seconds=1)
    idle = _spent(load.trackers, server)
    bare = [await load.ask(purpose="prefetch")]
    bare_spent = processor_time.spent(idle, _spent(load.trackers, server))["tracker"] / bare[0].answered
    before, spent = await load.events(), _spent(load.trackers, server)
    full = await load.ask()
    spent = processor_time.spent(spent, _spent(load.trackers, server))
    paced = await load.ask(rate=PACE)
    await load.require_stored(before, full, paced)
    bare.append(await load.ask(purpose="prefetch"))
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


async def _together(load: _Load) -> Figure:
    await load.ask(seconds=1)
    before, spent = await load.events(), [processor_time.of(pid) for pid in load.trackers.pids]
    full = await load.ask()
    spent = [processor_time.of(pid) - was for pid, was in zip(load.trackers.pids, spent, strict=True)]
    await load.require_stored(before, full)
    if min(spent) < LEAST_PART * sum(spent):
        raise RuntimeError(f"A tracker was idle: {spent} s of processor time")
    told = " and ".join(f"{each / sum(spent):.0%}" for each in spent)
    return Figure(
        name="events_per_second_of_two",
        value=full.rate,
        unit="1/s",
        conditions=f"{len(spent)} tracker processes on one port, {CONNECTIONS} connections; the work of each: {told}",
    )


def _spent(trackers: _Trackers, server: int) -> dict[str, float]:
    return {
        "tracker": sum(processor_time.of(pid) for pid in trackers.pids),
        "Postgres": processor_time.of_tree(server),
    }


@asynccontextmanager
async def _trackers(dsn: str, count: int) -> AsyncIterator[_Trackers]:
    """So many processes on one port, with one spool, as a machine has them."""
    running: list[asyncio.subprocess.Process] = []
    port = 0
    with TemporaryDirectory() as spool:
        try:
            for _ in range(count):
                words = ("-m", "tests.benchmarks.tracking", dsn, spool, str(port), str(count))
                process = await asyncio.create_subprocess_exec(
                    sys.executable, *words, stdout=PIPE, env={**os.environ, "PYTHONPATH": "."}
                )
                running.append(process)
                if process.stdout is None:
                    raise RuntimeError("the tracker has no standard output")
                port = int(await process.stdout.readline())
            yield _Trackers([process.pid for process in running], port)
        finally:
            for process in running:
                process.send_signal(SIGTERM)
                await process.wait()


async def _serve(dsn: str, spool: str, port: str, trackers: str) -> None:
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
        port=int(port),
        shared=int(trackers) > 1,
        stop=stop,
        clock=clock,
        new_id=IdSource(clock),
        on_ready=lambda port: print(port, flush=True),  # noqa: T201
    )
    await close_pool(pool)


if __name__ == "__main__":
    collect_seldom()  # as every service process does
    uvloop.run(_serve(*sys.argv[1:]))
