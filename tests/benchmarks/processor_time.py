"""Processor time by part of the service, read from /proc: what a message costs, and whom."""

import os
from collections.abc import Mapping
from pathlib import Path

import asyncpg

_TICK = 1 / os.sysconf("SC_CLK_TCK")


def of(pid: int) -> float:
    """Return the seconds that a process and the children that it has waited for have used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:13]) * _TICK


def of_tree(pid: int) -> float:
    """Return the seconds that a process and its living descendants have used."""
    total = 0.0
    for one in _tree(pid):
        try:
            total += of(one)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


async def postmaster(pool: asyncpg.Pool) -> int:
    """Return the process id of the server that a pool leads to, on this machine: the parent of who serves us."""
    serving = await pool.fetchval("SELECT pg_backend_pid()")
    return int(Path(f"/proc/{serving}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def busy() -> float:
    """Return the seconds that all cores together were busy since the machine's start."""
    fields = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _, _, irq, softirq = (int(field) for field in fields[:7])
    return (user + nice + system + irq + softirq) * _TICK


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds used in between, by part."""
    return {part: after[part] - before[part] for part in before}


def _tree(pid: int) -> list[int]:
    found, parents = [pid], {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    for one in found:
        found += parents.get(one, [])
    return found
