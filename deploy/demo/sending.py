"""Watches campaigns being sent, by what the API says of their runs, and shows it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from core.clock import Clock
from core.errors import TodokuError
from deploy.demo.campaigns import Campaign
from deploy.demo.reading import Reader
from deploy.demo.rest import Api
from deploy.demo.view import Bar, View

_POLL = 0.4
PATIENCE = 60.0
"""Seconds without any progress after which something is wrong."""


class NoProgress(TodokuError):  # noqa: N818 - named by meaning, as all errors here
    """The runs stand still."""

    code = "demo-no-progress"
    title = "Nothing is being sent"


async def watch_runs(
    api: Api, runs: Mapping[str, Campaign], reader: Reader, *, view: View, clock: Clock, ended: asyncio.Event
) -> None:
    """Show the runs (campaign by run id) until all have finished, then set `ended`; raise NoProgress if none moves."""
    before: dict[str, tuple[float, int]] = {}
    moved, progress = clock.monotonic(), -1
    try:
        while True:
            shown = {run_id: await api.get(f"runs/{run_id}") for run_id in runs}
            now = clock.monotonic()
            view.progress(
                [*_bars(runs, shown, before, now), Bar("mails read by their recipients", reader.read, reader.arrived)]
            )
            if all(run["state"] == "finished" for run in shown.values()):
                return
            done = sum(run["progress"]["done"] for run in shown.values()) + reader.read
            if done != progress:
                moved, progress = now, done
            if now - moved > PATIENCE:
                states = ", ".join(f"{run['state']} with {run['counts']['waiting']} waiting" for run in shown.values())
                raise NoProgress(f"No progress for {PATIENCE:.0f} s: {states}")
            await asyncio.sleep(_POLL)
    finally:
        ended.set()


def _bars(
    runs: Mapping[str, Campaign], shown: Mapping[str, Any], before: dict[str, tuple[float, int]], now: float
) -> list[Bar]:
    bars = []
    for run_id, run in shown.items():
        done = run["progress"]["done"]
        then, earlier = before.get(run_id, (now, done))
        rate = (done - earlier) / (now - then) if now > then else 0.0
        before[run_id] = (now, done)
        bars.append(Bar(runs[run_id].name, done, run["progress"]["total"], _note(run, rate)))
    return bars


def _note(run: Mapping[str, Any], rate: float) -> str:
    counts = run["counts"]
    if run["state"] == "scheduled":
        return f"due at {run['starts_at'][11:19]} UTC"
    if run["state"] == "finished":
        return f"finished, {counts['failed']} bounced"
    if rate < 1 and counts["waiting"] and run["first_sent_at"]:
        return f"{counts['waiting']} wait for their next try"
    return f"{rate:,.0f}/s"
