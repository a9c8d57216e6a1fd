"""Faults of a process that is not ours: it stands still with all its children, or its disk takes no more."""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """A process and its children do nothing meanwhile; their sockets stay open and answer nothing.

    Raises ProcessLookupError if it is gone.
    """
    stopped = [pid, *_children(pid)]
    _signal(stopped, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(stopped, signal.SIGCONT)


@contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """Whatever the process writes to a file fails meanwhile, as on a full disk (setrlimit(2): EFBIG)."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def _children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None
    return [int(child) for child in found.split()]


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
