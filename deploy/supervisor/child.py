"""One supervised process: started, watched, started again with growing delays, stopped within its bound.

It is ready when its probe says so, or, without one, when it has written a line to its standard output. Its standard
error goes to a rotated log file.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from core import logs
from core.clock import Clock
from core.errors import ConfigurationError
from deploy.supervisor.log_file import LogFile
from deploy.supervisor.policy import Backoff

log = logs.get()

_PROBE_EVERY = 0.05
_TAIL_LINES = 6
_LINE_BYTES = 65536


class State(StrEnum):
    """What a child is doing."""

    NEW = "new"
    STARTING = "starting"
    READY = "ready"
    WAITING = "waiting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run. `before` (blocking) runs before each start; `stop_within`: seconds to stop in, at least."""

    name: str
    command: Sequence[str]
    stage: int
    environment: Mapping[str, str] = field(repr=False)
    before: Callable[[], None] | None = None
    probe: Callable[[], bool] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 6.0


@dataclass(frozen=True, slots=True)
class ChildStatus:
    """A line of the status: `since` is when this state began."""

    name: str
    state: State
    pid: int | None
    since: datetime
    restarts: int


class Child:
    """Keeps one process running from `start` to `stop`. `changed` is called at each change of its state."""

    def __init__(self, spec: ChildSpec, *, log_path: Path, clock: Clock, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.stage = spec.stage
        self.died = asyncio.Event()
        self._log = LogFile(log_path)
        self._clock = clock
        self._changed = changed
        self._state = State.NEW
        self._since = clock.now()
        self._restarts = 0
        self._process: Process | None = None
        self._ready = asyncio.Event()
        self._stopping = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @property
    def status(self) -> ChildStatus:
        """The child as it is now."""
        pid = self._process.pid if self._process and self._process.returncode is None else None
        return ChildStatus(self.spec.name, self._state, pid, self._since, self._restarts)

    async def start(self, *, within: float) -> None:
        """Start it; return when it is ready. ConfigurationError with its last words if it dies before, or is late."""
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.spec.name}")
        ready = asyncio.ensure_future(self._ready.wait())
        died = asyncio.ensure_future(self.died.wait())
        try:
            await asyncio.wait({ready, died, self._keeper}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            died.cancel()
        if self._ready.is_set():
            return
        if self._keeper.done():
            self._keeper.result()
        late = "" if self.died.is_set() else f" within {within:.0f} s"
        raise ConfigurationError(f"{self.spec.name} did not start{late}. Its log ends:\n{self._log.tail(_TAIL_LINES)}")

    async def stop(self, *, within: float) -> None:
        """Ask it to stop, kill its process group `within` seconds later; return when it is gone, for good."""
        self._stopping.set()
        keeper = self._keeper
        if keeper is None:
            return
        self._signal(self.spec.stop_signal)
        await asyncio.wait({keeper}, timeout=within)
        if not keeper.done():
            log.warning("child_killed", child=self.spec.name, after_seconds=round(within, 1))
            if self._process:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.wait({keeper}, timeout=2)
        keeper.cancel()
        with suppress(asyncio.CancelledError, ConfigurationError):
            await keeper
        self._log.close()
        self._enter(State.STOPPED)

    def _signal(self, number: signal.Signals) -> None:
        if self._process and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            began = self._clock.monotonic()
            try:
                code = await self._live()
            except (OSError, ConfigurationError) as error:
                if not self._ready.is_set():
                    raise ConfigurationError(f"{self.spec.name} can't be started: {error}") from error
                log.warning("child_not_started", child=self.spec.name, error=str(error))
                code = None
            if self._stopping.is_set():
                return
            delay = backoff.after_death(self._clock.monotonic() - began)
            log.warning("child_died", child=self.spec.name, code=code, restart_in=delay)
            self._enter(State.WAITING)
            self.died.set()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stopping.wait()
            self._restarts += 1

    async def _live(self) -> int:
        """Run the process once; return its exit code."""
        self._enter(State.STARTING)
        if self.spec.before:
            await asyncio.to_thread(self.spec.before)
        if self._stopping.is_set():
            return 0
        process = self._process = await asyncio.create_subprocess_exec(
            *self.spec.command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=dict(self.spec.environment),
            start_new_session=True,
            cwd="/",
        )
        if self._stopping.is_set():
            # Asked to stop while it was being made.
            self._signal(self.spec.stop_signal)
        self._changed()
        log.info("child_started", child=self.spec.name, child_pid=process.pid)
        readers = [
            asyncio.create_task(_copy_lines(process.stdout, self._take_output)),
            asyncio.create_task(_copy_lines(process.stderr, self._log.write)),
        ]
        if self.spec.probe:
            readers.append(asyncio.create_task(self._ask_probe(self.spec.probe)))
        try:
            code = await process.wait()
            # Its last words may still be in the pipe; a grandchild that holds the pipe open is not waited for.
            await asyncio.wait(readers[:2], timeout=0.5)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
        return code

    def _take_output(self, line: bytes) -> None:
        self._log.write(line)
        if not self.spec.probe:
            self._become_ready()

    async def _ask_probe(self, probe: Callable[[], bool]) -> None:
        while not await asyncio.to_thread(probe):  # noqa: ASYNC110 - another process is asked, not a flag
            await asyncio.sleep(_PROBE_EVERY)
        self._become_ready()

    def _become_ready(self) -> None:
        if self._state is State.STARTING:
            self._ready.set()
            self._enter(State.READY)

    def _enter(self, state: State) -> None:
        self._state = state
        self._since = self._clock.now()
        self._changed()


async def _copy_lines(stream: asyncio.StreamReader | None, take: Callable[[bytes], None]) -> None:
    """Give each line to `take`; one over 64 KB in pieces."""
    rest = b""
    while stream and (chunk := await stream.read(_LINE_BYTES)):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            take(line)
        if len(rest) > _LINE_BYTES:
            take(rest)
            rest = b""
    if rest:
        take(rest)
