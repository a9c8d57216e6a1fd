"""Which loopback port each process serves its metrics on: TODOKU_METRICS_PORT plus an offset.

| process | offset |
| --- | --- |
| api, tracker, scheduler, mailbox, pages, inbound | 0, 1, 2, 3, 4, 5 |
| worker of the pool `bulk`, slot 0 to 255 | 10 + slot |
| worker of the pool `fast`, slot 0 to 9 | 270 + slot |
| worker of the pool `jobs`, slot 0 to 9 | 280 + slot |
| tracker, slot 1 to 15 | 290 + slot |
"""

import socket
from itertools import chain, cycle
from random import SystemRandom

from core.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
_HIGHEST = 65535
_PROCESSES = {"api": 0, "tracker": 1, "scheduler": 2, "mailbox": 3, "pages": 4, "inbound": 5}
_TRACKERS = 290
_POOLS = {"bulk": (10, 256), "fast": (270, 10), "jobs": (280, 10)}

ALONE = tuple(_PROCESSES)
"""Processes that are alone of their kind on a machine."""

POOLS = tuple(_POOLS)

_ONE_BY_ONE = range(10_000, 28_000)
_BASES = range(28_000, 32_768)
"""Where no outgoing connection gets its own port: Linux takes those from 32768 up (`ip_local_port_range`).

The kernel's own choice for port 0 comes from there, and what it names as free now may be a client's a moment later.
Bases have a range of their own: a process listens on its metrics port seconds after the base was chosen, and another
installation that begins in between would be told that the port is free.
"""

_start = SystemRandom().choice(_ONE_BY_ONE)
_walk = cycle(chain(range(_start, _ONE_BY_ONE.stop), range(_ONE_BY_ONE.start, _start)))
"""This process's way through them, from a place of its own: it names none twice before all were named."""

_MOST_METRICS = 300


def metrics_port(base: int, process: str) -> int:
    """Return the metrics port of a process that is alone of its kind on a machine; 0 if `base` turns metrics off."""
    return _checked(base, _PROCESSES[process])


def tracker_metrics_port(base: int, slot: int) -> int:
    """Return the metrics port of one tracker; the first has that of a tracker that is alone."""
    return _checked(base, _TRACKERS + slot) if slot else metrics_port(base, "tracker")


def worker_metrics_port(base: int, pool: str, slot: int) -> int:
    """Return the metrics port of one worker; ConfigurationError for a slot that has none."""
    first, slots = _POOLS[pool]
    if not 0 <= slot < slots:
        raise ConfigurationError(f"A worker of the pool {pool} has a slot from 0 to {slots - 1}")
    return _checked(base, first + slot)


def free_port() -> int:
    """Return a loopback port that is free now and that no outgoing connection takes, for a setting of 0.

    Raises ConfigurationError if there is none.
    """
    for _ in _ONE_BY_ONE:
        if is_free(port := next(_walk)):
            return port
    raise ConfigurationError("No port of the loopback address is free")


def free_metrics_base() -> int:
    """Return a base from which each process of a small installation finds its metrics port free.

    Raises ConfigurationError if there is none.
    """
    for base in SystemRandom().sample(range(_BASES.start, _BASES.stop - _MOST_METRICS), 100):
        ports = [metrics_port(base, process) for process in ALONE]
        ports += [worker_metrics_port(base, pool, slot) for pool in POOLS for slot in range(4)]
        if all(map(is_free, ports)):
            return base
    raise ConfigurationError("No free ports were found for the metrics")


def is_free(port: int) -> bool:
    """Return whether one may listen on a loopback port now; a connection that is being forgotten doesn't keep it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError):
            return False
        return True


def _checked(base: int, offset: int) -> int:
    if base and base + offset > _HIGHEST:
        raise ConfigurationError(f"TODOKU_METRICS_PORT is too high: {base} + {offset} is over {_HIGHEST}")
    return base and base + offset
