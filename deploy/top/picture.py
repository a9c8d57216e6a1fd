"""The picture: everything at a glance on one screen, of 80 columns or of 140. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.operating import spans
from deploy.top import tables
from deploy.top.glance import Glance, Lately, Row, rates, so_far
from deploy.top.tables import Section

WIDE = 140
"""Columns from which on tables stand side by side, and there is room for all of their columns."""
LEFT = 56
BETWEEN = 6
MOST = 50
REASONS = 6
_ONE_LINERS = 3
"""The summary, and the line of deferrals with a blank one before it."""


def picture(
    now: Glance, before: Glance | None = None, *, lately: Lately | None = None, columns: int = 80, rows: int = 50
) -> Group:
    """Draw a glance within a screen; the one before gives the rates, `lately` the deferrals of the last minutes.

    Where there is too little room each table is cut to the same number of rows.
    """
    wide = columns >= WIDE
    rate = rates(now, before)
    runs = tables.campaigns(now, rate, width=columns, wide=wide)
    beside = columns - BETWEEN - LEFT if wide else columns
    left = [tables.sites(now, width=LEFT if wide else columns)]
    right = [tables.sources(now, width=beside), tables.restricted(now, width=beside)]
    below = [tables.workers(now, width=columns)]
    most = next((n for n in range(MOST, 1, -1) if _lines(runs, left, right, below, n, wide=wide) <= rows), 1)
    parts: list[RenderableType] = [_summary(now, rate), *runs.draw(most)]
    if wide:
        grid = Table.grid(padding=(0, BETWEEN, 0, 0))
        grid.add_row(Group(*_drawn(left, most)), Group(*_drawn(right, most)))
        parts += [grid] if _height([*left, *right], most) else []
    else:
        parts += _drawn([*left, *right], most)
    parts += _drawn(below, most)
    if deferred := _deferred(now, lately):
        parts += ["", deferred]
    return Group(*parts)


def _lines(
    runs: Section, left: Sequence[Section], right: Sequence[Section], below: Sequence[Section], most: int, *, wide: bool
) -> int:
    middle = max(_height(left, most), _height(right, most)) if wide else _height([*left, *right], most)
    return _ONE_LINERS + runs.lines(most) + middle + _height(below, most)


def _height(sections: Iterable[Section], most: int) -> int:
    return sum(section.lines(most) for section in sections)


def _drawn(sections: Iterable[Section], most: int) -> list[RenderableType]:
    return [part for section in sections for part in section.draw(most)]


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
        _spool(now),
    ]
    return Text(" · ".join(part for part in parts if part), "bold", no_wrap=True, overflow="ellipsis")


def _stops(stops: Row) -> str:
    waiting = stops.get("waiting", 0)
    age = f" (for {spans.shown(stops['oldest_seconds'])})" if waiting else ""
    return f"{waiting:,} stops to carry{age}"


def _spool(now: Glance) -> str:
    if not now.spool.bytes:
        return ""
    damaged = f", {now.spool.damaged} files damaged" if now.spool.damaged else ""
    return f"{now.spool.bytes / 1_000:,.0f} kB of events spooled (for {spans.shown(now.spool_seconds)}{damaged})"


def _deferred(now: Glance, lately: Lately | None) -> Text | None:
    if lately is None or lately.seconds <= 0:
        found, when = so_far(now), "so far"
    else:
        found, when = lately.by_reason(), f"in {spans.shown(lately.seconds)}"
    if not found:
        return None
    said = " · ".join(f"{reason} {total:,}" for reason, total in found[:REASONS])
    return Text(f"deferred {when}: {said}", no_wrap=True, overflow="ellipsis")
