"""Starts runs whose time has come: each exactly once, by whichever scheduler comes first, as the database decides."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from core import logs, sql
from scheduler.campaigns.states import State
from scheduler.meters import LATENESS, RUNS_ENDED, RUNS_STARTED

SQL = sql.load(__package__ or "", "starts.sql")

log = logs.get()


async def start_due(main: asyncpg.Pool) -> Sequence[UUID]:
    """Start every run that is due; return those that this call started. Runs without an audience are cancelled."""
    turned_away = await main.fetch(SQL["turn_away"])
    for row in turned_away:
        RUNS_ENDED.labels(State.CANCELLED).inc()
        log.warning("run_without_audience", run=str(row["run_id"]))
    started = await main.fetch(SQL["start_due"])
    for row in started:
        RUNS_STARTED.inc()
        LATENESS.observe(row["lateness"])
        log.info("run_started", run=str(row["run_id"]), lateness=row["lateness"])
    return [row["run_id"] for row in started]


async def soon_due(main: asyncpg.Pool, within: float) -> Sequence[float]:
    """Return in how many seconds runs will be due, for those due within `within` seconds."""
    return [row["wait"] for row in await main.fetch(SQL["soon_due"], within)]
