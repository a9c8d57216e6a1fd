"""Load over HTTP by wrk (Debian's), which leaves the cores to what is measured."""

import asyncio
import resource
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.benchmarks.peers import program

_SCRIPT = Path(__file__).with_suffix(".lua")


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of a load: answers in so many seconds, their latencies in ms, and wrk's processor time in seconds."""

    answered: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float
    processor: float

    @property
    def rate(self) -> float:
        """Return answers a second."""
        return self.answered / self.seconds


async def load(
    port: int, paths: Path, *, seconds: int, connections: int, agent: str, rate: int = 0, purpose: str | None = None
) -> Answers:
    """Ask for the paths in a file in turn, `rate` times a second or (0) as fast as they are answered.

    `purpose`: what the requests say in a header of this name.

    Raises RuntimeError if an answer failed or was not of the 200s or 300s.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(_SCRIPT)]
    running = await asyncio.create_subprocess_exec(
        program("wrk", package="wrk"),
        *words,
        f"http://127.0.0.1:{port}/",
        "--",
        str(paths),
        str(rate),
        agent,
        *([purpose] if purpose else []),
        stdout=DEVNULL,
        stderr=PIPE,
    )
    _, said = await running.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if running.returncode != 0:
        raise RuntimeError(f"wrk ended with {running.returncode}")
    answers = Answers(**orjson.loads(said.splitlines()[-1]), processor=used)
    if answers.failed:
        raise RuntimeError(f"{answers.failed} requests failed")
    return answers
