"""What every service process has in common: settings, logs, metrics, signals, an event loop on uvloop.

SIGTERM and SIGINT set `stop`; the body ends its work and returns. Exit codes: 0 stopped as asked, 1 failed, 2 wrongly
configured.
"""

import asyncio
import gc
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

import uvloop
from prometheus_client import Histogram

from core import logs, metrics
from core.clock import Clock, SystemClock
from core.errors import ConfigurationError, Superseded
from core.ids import IdSource
from core.settings import Settings, load

LAG_SECONDS = 1.0
LAG_WARNED = 2.0

_lag = Histogram(
    "todoku_event_loop_lag_seconds",
    "How much later than due a task of the event loop ran.",
    buckets=(0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)

WRONG_CONFIGURATION = 2
FAILED = 1


@dataclass(frozen=True, slots=True)
class Process:
    """What a service's body is given."""

    settings: Settings
    clock: Clock
    new_id: IdSource
    stop: asyncio.Event
    jitter: Callable[[], float]

    def announce_ready(self, where: str = "") -> None:
        """Tell whoever started us that we serve: the first line of standard output."""
        collect_seldom()
        with suppress(BrokenPipeError):
            sys.stdout.write(f"ready {where}".rstrip() + "\n")
            sys.stdout.flush()


Body = Callable[[Process], Awaitable[None]]


def collect_seldom() -> None:
    """Keep the cyclic garbage collector off what is loaded for good, and let it run more seldom.

    Its default counts 700 new containers and then walks them, and every so often the whole heap: measured, an import
    took half as long again. What a message or a row leaves behind is freed by reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


def run(name: str, body: Body, *, metrics_port: Callable[[int], int]) -> None:
    """Run `body` until it is told to stop; `metrics_port` makes this process's port of the setting's base.

    Raises ConfigurationError as it is; any other failure is logged and ends the process with code 1.
    """
    settings = load()
    logs.configure(name, settings.log_level)
    port = metrics_port(settings.metrics_port)
    try:
        stop_metrics = metrics.serve(port)
    except OSError as error:
        raise ConfigurationError(f"The metrics port {port} can't be had: {error.strerror}") from error
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(settings, body))
    except ConfigurationError:
        raise
    except Superseded as error:
        logs.get().error("superseded", detail=error.detail)
        sys.exit(FAILED)
    except Exception:  # noqa: BLE001 - the process ends with it, and the log says why
        logs.get().exception("process_failed")
        sys.exit(FAILED)
    finally:
        stop_metrics()


async def _watch_lag(clock: Clock) -> None:
    """Measure how long the event loop leaves a task waiting that could run: what hangs shows here first."""
    while True:
        began = clock.monotonic()
        await asyncio.sleep(LAG_SECONDS)
        lag = clock.monotonic() - began - LAG_SECONDS
        _lag.observe(max(0.0, lag))
        if lag > LAG_WARNED:
            logs.get().warning("event_loop_hung", seconds=round(lag, 3))


async def _run(settings: Settings, body: Body) -> None:
    clock = SystemClock()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    watching = asyncio.create_task(_watch_lag(clock))
    try:
        await body(Process(settings, clock, IdSource(clock), stop, random.random))
    finally:
        watching.cancel()
    logs.get().info("stopped")
