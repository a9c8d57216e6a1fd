"""Stops the Postgres server, or the sessions of a killed one, that an earlier run left behind in a cluster.

The kernel's tether makes survivors rare, not impossible (no Linux, a kill in the first milliseconds), and a session at
work does not notice at once that its postmaster was killed. Postgres refuses a new server as long as one of them runs.
"""

import os
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from signal import SIGINT, SIGQUIT, Signals

from core.errors import ConfigurationError

_POLL = 0.02
_PROC = Path("/proc")


def stop_survivor(cluster: Path) -> None:
    """Stop what still runs on `cluster`, at most 20 s; ConfigurationError if it does not stop.

    The process id in postmaster.pid may belong to anyone by now: such a process is left alone, and the stale file
    removed, for which Postgres would refuse to start.
    """
    pid = _recorded(cluster)
    if pid is not None:
        if _serves(pid, cluster):
            gone = _stop(pid, cluster, SIGINT, 8.0) or _stop(pid, cluster, SIGQUIT, 4.0)
            if not gone:
                raise ConfigurationError(f"A Postgres of an earlier run (process {pid}) on {cluster} does not stop")
        elif _is_alive(pid):
            (cluster / "postmaster.pid").unlink(missing_ok=True)
    for orphan in _orphans(cluster):
        if not _stop(orphan, cluster, SIGQUIT, 4.0):
            raise ConfigurationError(f"A session of a killed Postgres (process {orphan}) on {cluster} does not stop")


def _recorded(cluster: Path) -> int | None:
    try:
        first = (cluster / "postmaster.pid").read_text().partition("\n")[0].strip()
    except OSError:
        return None
    return int(first) if first.isdigit() else None


def _stop(pid: int, cluster: Path, signal: Signals, seconds: float) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, signal)
    for _ in range(int(seconds / _POLL)):
        if not _serves(pid, cluster):
            return True
        time.sleep(_POLL)
    return False


def _serves(pid: int, cluster: Path) -> bool:
    """Whether `pid` is a running Postgres of `cluster`: all its processes stand in the data directory."""
    if _PROC.joinpath("self").exists():
        process = _PROC / str(pid)
        try:
            return (process / "cwd").readlink() == cluster.resolve() and "postgres" in (process / "comm").read_text()
        except OSError:
            return False
    listed = subprocess.run(  # noqa: S603 - a number is all that is passed
        ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False, timeout=5
    ).stdout
    return "postgres" in listed and str(cluster) in listed


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _orphans(cluster: Path) -> list[int]:
    if not cluster.exists() or not _PROC.joinpath("self").exists():
        return []
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and _serves(int(entry.name), cluster)]
