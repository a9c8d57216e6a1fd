"""Reports as CSV (RFC 4180), safe to open in a spreadsheet.

A cell of text that a spreadsheet could take for a formula gets a leading apostrophe (OWASP, CSV injection).
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import StringIO

from core import ids
from tracking.figures import CampaignReport, Figures, LinkReport, RunReport

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")

_COUNTS = (
    "snapshot",
    "accepted",
    "failed",
    "suppressed",
    "cancelled",
    "uncertain",
    "waiting",
    "deferred",
    "opens",
    "unique_opens",
    "clicks",
    "unique_clicks",
    "unsubscribes",
)
_RATES = ("open_rate", "unique_open_rate", "click_rate", "unique_click_rate")
_TIMES = ("starts_at", "started_at", "first_sent_at", "finished_at", "lateness_ms")

CAMPAIGN_COLUMNS = ("campaign", "run", "state", *_COUNTS, *_RATES, *_TIMES)
LINK_COLUMNS = ("run", "number", "url", "clicks", "unique_clicks")

Cell = str | int | float | datetime | None


def campaign_csv(report: CampaignReport) -> str:
    """Return one line a run, and the sum of them in a last line whose run is `total`."""
    lines: list[Sequence[Cell]] = [CAMPAIGN_COLUMNS]
    lines += [
        [report.name, ids.encode("run", run.run_id), run.state, *_counted(run.figures), *_times(run)]
        for run in report.runs
    ]
    lines.append([report.name, "total", None, *_counted(report.total), *[None] * len(_TIMES)])
    return _written(lines)


def links_csv(links: Iterable[LinkReport]) -> str:
    """Return one line a link."""
    lines: list[Sequence[Cell]] = [LINK_COLUMNS]
    lines += [[ids.encode("run", one.run_id), one.number, one.url, one.clicks, one.unique_clicks] for one in links]
    return _written(lines)


def _counted(figures: Figures) -> list[Cell]:
    return [getattr(figures, name) for name in (*_COUNTS, *_RATES)]


def _times(run: RunReport) -> list[Cell]:
    return [getattr(run, name) for name in _TIMES]


def _written(lines: Iterable[Sequence[Cell]]) -> str:
    text = StringIO()
    csv.writer(text).writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return "'" + value if value.startswith(_FORMULA) else value
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, float):
        return f"{value:.6f}"
    return "" if value is None else str(value)
