"""Reports as CSV (RFC 4180), safe to open in a spreadsheet: what could be a formula is disarmed (members/formulas)."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from io import StringIO
from uuid import UUID

from core import ids
from members.formulas import disarm
from members.growth import MEANINGS as GROWTH_COUNTS
from members.growth import Growth
from tracking import breakdown
from tracking.breakdown import Breakdown, Provider, Series
from tracking.figures import COUNTS, RATES, CampaignReport, Figures, LinkReport, PeriodReport, RunReport, VersionReport
from tracking.leaving import Why
from tracking.traits import TraitReport

_TIMES = ("starts_at", "started_at", "first_sent_at", "finished_at", "lateness_ms")

CAMPAIGN_COLUMNS = ("campaign", "run", "state", *COUNTS, *RATES, *_TIMES)
LINK_COLUMNS = ("run", "number", "url", "clicks", "unique_clicks", "human_clicks", "unique_human_clicks")
COMPARISON_COLUMNS = ("id", "campaign", "runs", *COUNTS, *RATES)
VERSION_COLUMNS = ("version", "subject", "runs", *COUNTS, *RATES)
PERIOD_COLUMNS = ("since", "until", "campaigns", "runs", *COUNTS, *RATES)
VALUE_COLUMNS = ("part", "value", *COUNTS, *RATES)
NAMED_COLUMNS = ("part", "value", "name", *COUNTS, *RATES)
GROWTH_COLUMNS = ("at", "active", *GROWTH_COUNTS)
SERIES_COLUMNS = ("at", *breakdown.COUNTS)
LEAVING_COLUMNS = ("reason", "recipients")
PROVIDER_COLUMNS = ("provider", *breakdown.COUNTS)

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
    lines += [[ids.encode("run", one.run_id), *(getattr(one, name) for name in LINK_COLUMNS[1:])] for one in links]
    return _written(lines)


def comparison_csv(reports: Iterable[CampaignReport]) -> str:
    """Return one line a campaign: the sum of its runs."""
    lines: list[Sequence[Cell]] = [COMPARISON_COLUMNS]
    lines += [[ids.encode("cmp", one.campaign_id), one.name, len(one.runs), *_counted(one.total)] for one in reports]
    return _written(lines)


def versions_csv(versions: Iterable[VersionReport]) -> str:
    """Return one line a version of the content."""
    lines: list[Sequence[Cell]] = [VERSION_COLUMNS]
    lines += [[one.number, one.subject, len(one.run_ids), *_counted(one.figures)] for one in versions]
    return _written(lines)


def period_csv(report: PeriodReport) -> str:
    """Return one line, of all runs of the period."""
    line = [report.since, report.until, report.campaigns, report.runs, *_counted(report.total)]
    return _written([PERIOD_COLUMNS, line])


def values_csv(reports: Iterable[TraitReport]) -> str:
    """Return one line a value."""
    return _written([VALUE_COLUMNS, *([one.part, one.value, *_counted(one.figures)] for one in reports)])


def named_csv(reports: Iterable[TraitReport], kind: str, names: Mapping[UUID, str]) -> str:
    """Return one line a value, which is an id of this kind, with the name that it has in `names`, if any."""
    lines: list[Sequence[Cell]] = [NAMED_COLUMNS]
    for one in reports:
        of = None if one.value is None else UUID(one.value)
        shown = (None, None) if of is None else (ids.encode(kind, of), names.get(of))
        lines.append([one.part, *shown, *_counted(one.figures)])
    return _written(lines)


def growth_csv(spans: Iterable[Growth]) -> str:
    """Return one line a step."""
    return _written([GROWTH_COLUMNS, *([getattr(span, name) for name in GROWTH_COLUMNS] for span in spans)])


def series_csv(series: Series) -> str:
    """Return one line a step in which something happened."""
    return _written([SERIES_COLUMNS, *([span.at, *_broken_down(span.counts)] for span in series.spans)])


def providers_csv(providers: Iterable[Provider]) -> str:
    """Return one line a provider."""
    return _written([PROVIDER_COLUMNS, *([one.provider, *_broken_down(one.counts)] for one in providers)])


def leaving_csv(reasons: Mapping[Why, int]) -> str:
    """Return one line a reason for leaving."""
    return _written([LEAVING_COLUMNS, *reasons.items()])


def _counted(figures: Figures) -> list[Cell]:
    return [getattr(figures, name) for name in (*COUNTS, *RATES)]


def _broken_down(counts: Breakdown) -> list[Cell]:
    return [getattr(counts, name) for name in breakdown.COUNTS]


def _times(run: RunReport) -> list[Cell]:
    return [getattr(run, name) for name in _TIMES]


def _written(lines: Iterable[Sequence[Cell]]) -> str:
    text = StringIO()
    csv.writer(text).writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def _cell(value: Cell) -> str:
    if isinstance(value, str):
        return disarm(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, float):
        return f"{value:.6f}"
    return "" if value is None else str(value)
