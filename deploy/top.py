"""What Todoku is doing just now, as one picture: runs, workers, what waits. By ids and figures, of nobody in person."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from core import sql
from core.clock import Clock

SQL = sql.load(__package__ or "", "top.sql")

_STYLES = {"running": "green", "pausing": "yellow", "paused": "yellow", "cancelling": "red", "cancelled": "red"}
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Glance:
    """What was seen at one moment: `taken` in monotonic seconds."""

    taken: float
    runs: Sequence[Row]
    workers: Sequence[Row]
    stops: Row


async def look(main: asyncpg.Pool, clock: Clock) -> Glance:
    """Read everything in one snapshot of the main database."""
    async with main.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        runs = [dict(row) for row in await connection.fetch(SQL["runs"])]
        workers = [dict(row) for row in await connection.fetch(SQL["workers"])]
        stops = await connection.fetchrow(SQL["stops"])
    return Glance(clock.monotonic(), runs, workers, dict(stops or {}))


def done(run: Row) -> int:
    """Return how many recipients of a run are settled."""
    return int(run["accepted"] + run["failed"] + run["suppressed"] + run["uncertain"])


def rates(now: Glance, before: Glance | None) -> dict[UUID, float]:
    """Return messages accepted a second since the glance before, by run; empty without one."""
    if before is None or now.taken <= before.taken:
        return {}
    then = {run["run_id"]: run["accepted"] for run in before.runs}
    spent = now.taken - before.taken
    return {run["run_id"]: (run["accepted"] - then[run["run_id"]]) / spent for run in now.runs if run["run_id"] in then}


def picture(now: Glance, before: Glance | None = None, *, wide: bool = False) -> Group:
    """Draw a glance; the one before it gives the rates. `wide` has room for 140 columns, else for 80."""
    rate = rates(now, before)
    return Group(_summary(now, rate), _runs(now, rate, wide=wide), _workers(now))


def _summary(now: Glance, rate: Mapping[UUID, float]) -> Text:
    alive = sum(worker["lease_seconds"] > 0 for worker in now.workers)
    late = len(now.workers) - alive
    parts = [
        f"{sum(run['state'] == 'running' for run in now.runs)} running",
        f"{sum(rate.values()):,.0f} messages/s" if rate else "",
        f"{alive} workers" + (f", {late} silent" if late else ""),
        f"{sum(run['retries'] for run in now.runs):,} retries waiting",
        f"{sum(run['uncertain'] for run in now.runs):,} uncertain",
        _stops(now.stops),
    ]
    return Text(" · ".join(part for part in parts if part), "bold")


def _stops(stops: Row) -> str:
    waiting = stops.get("waiting", 0)
    age = f" (for {_span(stops['oldest_seconds'])})" if waiting else ""
    return f"{waiting:,} stops to carry{age}"


def _runs(now: Glance, rate: Mapping[UUID, float], *, wide: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("campaign", no_wrap=True)
    table.add_column("state", no_wrap=True, min_width=10)
    if wide:
        table.add_column("lane", no_wrap=True, min_width=15)
        table.add_column("progress", no_wrap=True, min_width=12)
    table.add_column("done", justify="right", no_wrap=True, min_width=13)
    for column in ("failed", *(("left out", "deferred") if wide else ()), "retries", "uncert.", "msg/s"):
        table.add_column(column, justify="right", no_wrap=True, min_width=len(column))
    for run in now.runs:
        table.add_row(*_cells(run, rate.get(run["run_id"]), wide=wide))
    if not now.runs:
        table.add_row(Text("no run yet", "dim"))
    return table


def _cells(run: Row, speed: float | None, *, wide: bool) -> list[RenderableType]:
    name = run["name"] + (" (test)" if run["kind"] == "test" else "")
    settled = f"{done(run):,}/{run['snapshot']:,}" + ("" if run["audience_state"] == "whole" else "+")
    cells: list[RenderableType] = [Text(name), Text(_state(run), _STYLES.get(run["state"], ""))]
    if wide:
        cells += [_lane(run), ProgressBar(max(run["snapshot"], 1), done(run), width=12)]
    cells += [settled, f"{run['failed']:,}"]
    if wide:
        cells += [f"{run['suppressed']:,}", f"{run['deferred']:,}"]
    return [*cells, f"{run['retries']:,}", f"{run['uncertain']:,}", "" if speed is None else f"{speed:,.0f}"]


def _state(run: Row) -> str:
    if run["state"] != "scheduled":
        return str(run["state"])
    return f"in {_span(run['starts_in'])}" if run["starts_in"] > 0 else "due"


def _lane(run: Row) -> str:
    if run["lane"] is None or run["lane"] == "closed":
        return ""
    rate = f", {run['rate_per_hour']:,}/h" if run["rate_per_hour"] else ""
    return f"{run['pool']} {run['lane']} x{run['weight']}{rate}"


def _workers(now: Glance) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("worker", "host", "pid", "up", "lease", "chunks", "jobs"):
        table.add_column(column)
    for worker in now.workers:
        lease = worker["lease_seconds"]
        table.add_row(
            f"{worker['pool']} {worker['slot']}",
            worker["host"],
            str(worker["pid"]),
            _span(worker["up_seconds"]),
            Text(f"{lease:.0f} s", "green") if lease > 0 else Text(f"silent for {_span(-lease)}", "red"),
            str(worker["chunks"]),
            str(worker["jobs"]),
        )
    if not now.workers:
        table.add_row(Text("no worker is alive", "red"))
    return table


def _span(seconds: float) -> str:
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
