import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.errors import ConfigurationError
from deploy import tether
from deploy.supervisor import ChildSpec, ChildStatus, State, Supervisor
from tests.support.processes import ended

SERVE = "print('ready', flush=True); import signal; signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SERVE


class Watched:
    """A supervisor whose changes of state can be waited for."""

    def __init__(self, directory: Path) -> None:
        self.changed = asyncio.Event()
        self.history: list[tuple[str, State]] = []
        self.supervisor = Supervisor(log_dir=directory, clock=SystemClock(), changed=self._note)

    def _note(self) -> None:
        for line in self.supervisor.status:
            if (line.name, line.state) not in self.history[-1:]:
                self.history.append((line.name, line.state))
        self.changed.set()

    def line(self, name: str) -> ChildStatus:
        return next(line for line in self.supervisor.status if line.name == name)

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not true():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    made = Watched(tmp_path)
    yield made
    await made.supervisor.stop()


def child(name: str, code: str = SERVE, *, stage: int = 1, stop_within: float = 5) -> ChildSpec:
    command = tether.command([sys.executable, "-I", "-S", "-c", code], signal=signal.SIGTERM)
    return ChildSpec(name, command, stage, {"LC_ALL": "C"}, stop_within=stop_within)


async def test_stages_start_in_order_and_stop_in_reverse(watched: Watched, tmp_path: Path) -> None:
    note = f"import sys, signal; f = open({str(tmp_path / 'order')!r}, 'a', buffering=1); "
    code = (
        note
        + "f.write('+{0}\\n'); signal.signal(signal.SIGTERM, lambda *_: (f.write('-{0}\\n'), sys.exit(0)));"
        + SERVE
    )
    await watched.supervisor.start(
        [
            child("b", code.format("b"), stage=2),
            child("a", code.format("a"), stage=1),
            child("c", code.format("c"), stage=3),
        ]
    )
    assert [line.state for line in watched.supervisor.status] == [State.READY] * 3
    await watched.supervisor.stop()
    assert (tmp_path / "order").read_text().split() == ["+a", "+b", "+c", "-c", "-b", "-a"]
    assert {(line.state, line.pid) for line in watched.supervisor.status} == {(State.STOPPED, None)}


async def test_a_killed_child_is_back_with_a_new_process(watched: Watched) -> None:
    await watched.supervisor.start([child("worker")])
    first = watched.line("worker").pid
    assert first
    os.kill(first, signal.SIGKILL)
    await watched.until(lambda: watched.line("worker").restarts == 1 and watched.line("worker").state is State.READY)
    assert watched.line("worker").pid not in {None, first}


async def test_a_child_that_dies_before_it_is_ready_stops_the_start_with_its_last_words(watched: Watched) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)api did not start.*port is taken"):
        await watched.supervisor.start([child("api", "import sys; sys.exit('port is taken')")])


async def test_a_child_that_is_never_ready_stops_the_start(watched: Watched) -> None:
    with pytest.raises(ConfigurationError, match="did not start within"):
        await watched.supervisor.start([child("slow", "import signal; signal.pause()")], within=0.3)


async def test_a_child_that_ignores_its_signal_is_killed_at_its_bound(watched: Watched) -> None:
    await watched.supervisor.start([child("stubborn", STUBBORN, stop_within=0.2)])
    pid = watched.line("stubborn").pid
    assert pid
    async with asyncio.timeout(3):
        await watched.supervisor.stop()
    assert ended(pid, seconds=1)


async def test_time_that_a_stage_does_not_need_to_stop_in_is_the_next_one_s(watched: Watched, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    slow = (
        "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: "
        f"(time.sleep(0.5), pathlib.Path({str(saved)!r}).touch(), sys.exit(0)));"
    )
    specs = [child("slow", slow + SERVE, stage=1, stop_within=0.1), child("quick", stage=2, stop_within=30)]
    await watched.supervisor.start(specs)
    await watched.supervisor.stop()
    assert saved.exists()


async def test_a_stop_during_the_wait_for_a_restart_is_immediate(watched: Watched) -> None:
    await watched.supervisor.start([child("worker", "print(flush=True)")])
    await watched.until(lambda: watched.line("worker").restarts >= 2)
    async with asyncio.timeout(2):
        await watched.supervisor.stop()
    assert watched.line("worker").state is State.STOPPED


async def test_a_child_has_its_own_log_and_only_the_environment_it_was_given(watched: Watched, tmp_path: Path) -> None:
    code = "import os, sys; print(sorted(os.environ), file=sys.stderr, flush=True); " + SERVE
    await watched.supervisor.start([child("worker", code)])
    await watched.supervisor.stop()
    assert "['LC_ALL']" in (tmp_path / "worker.log").read_text()


async def test_a_long_line_and_many_lines_neither_block_nor_outgrow_the_log(watched: Watched, tmp_path: Path) -> None:
    code = "import sys; sys.stderr.write('x' * 1_000_000 + '\\n' + 'line\\n' * 100_000); " + SERVE
    await watched.supervisor.start([child("loud", code)])
    await watched.supervisor.stop()
    assert (tmp_path / "loud.log").stat().st_size >= 1_000_000


async def test_a_probe_decides_when_a_child_is_ready(watched: Watched, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    spec = child("postgres", f"open({str(flag)!r}, 'w').close(); import signal; signal.pause()")
    await watched.supervisor.start([ChildSpec(spec.name, spec.command, 0, spec.environment, probe=flag.exists)])
    assert watched.line("postgres").state is State.READY
