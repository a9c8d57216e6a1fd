"""The tables of the picture, each cut to the rows that there is room for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from rich.cells import cell_len
from rich.console import RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from deploy.operating import names, spans
from deploy.operating.restrictions import Imposed
from deploy.top.glance import Glance, Row, done

_STYLES = {"running": "green", "pausing": "yellow", "paused": "yellow", "cancelling": "red", "cancelled": "red"}

Cells = Sequence[RenderableType]

GAP = 2
BAR = 12


class Column(NamedTuple):
    """A column's title, on which side its cells stand, and how wide it is at the least."""

    title: str
    justify: Literal["left", "right"] = "left"
    least: int = 0


def _figures(*titles: str) -> list[Column]:
    return [Column(title, "right", len(title)) for title in titles]


@dataclass(frozen=True, slots=True)
class Section:
    """A table `width` columns wide, of `rows` rows: what there is no room for is left out, the `elastic` column is cut.

    `instead` stands where there are no rows at all.
    """

    head: Sequence[Column]
    rows: Sequence[Cells]
    width: int
    elastic: int = 0
    instead: RenderableType | None = None

    def lines(self, most: int) -> int:
        """Return how many lines it takes with at most so many rows: a blank one, the head, the rows, and the rest."""
        if not self.rows and self.instead is None:
            return 0
        return 2 + max(1, min(most, len(self.rows))) + (len(self.rows) > most)

    def draw(self, most: int) -> list[RenderableType]:
        """Return its lines."""
        if self.lines(most) == 0:
            return []
        table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim")
        for column in self.head:
            table.add_column(column.title, justify=column.justify, min_width=column.least, no_wrap=True)
        shown = self.rows[:most]
        room = self._room(shown)
        for row in shown:
            table.add_row(*(_cut(cell, room) if number == self.elastic else cell for number, cell in enumerate(row)))
        if not self.rows and self.instead is not None:
            table.add_row(self.instead)
        if len(self.rows) > most:
            table.add_row(Text(f"… {len(self.rows) - most:,} more", "dim"))
        return ["", table]

    def _room(self, shown: Sequence[Cells]) -> int:
        """Return how wide the elastic column may be: what the others leave of the width."""
        left = self.width - GAP * (len(self.head) - 1)
        for number, column in enumerate(self.head):
            if number != self.elastic:
                left -= max(column.least, cell_len(column.title), *(_width(row[number]) for row in shown), 0)
        return max(left, 1)


def _width(cell: RenderableType) -> int:
    return BAR if isinstance(cell, ProgressBar) else cell_len(str(cell))


def _cut(cell: RenderableType, room: int) -> Text:
    text = cell.copy() if isinstance(cell, Text) else Text(str(cell))
    text.truncate(room, overflow="ellipsis")
    return text


def campaigns(now: Glance, rate: Mapping[UUID, float], *, width: int, wide: bool) -> Section:
    """Return the runs: what is live, and the last few that ended."""
    head = [
        Column("campaign"),
        Column("state", least=10),
        *([Column("lane", least=15), Column("progress", least=BAR)] if wide else []),
        Column("done", "right", 13),
        *_figures("failed", *(("left out", "deferred") if wide else ()), "retries", "uncert.", "msg/s"),
    ]
    rows = [_campaign(run, rate.get(run["run_id"]), wide=wide) for run in now.runs]
    return Section(head, rows, width, instead=Text("no run yet", "dim"))


def _campaign(run: Row, speed: float | None, *, wide: bool) -> Cells:
    name = run["name"] + (" (test)" if run["kind"] == "test" else "")
    settled = f"{done(run):,}/{run['snapshot']:,}" + ("" if run["audience_state"] == "whole" else "+")
    cells: list[RenderableType] = [Text(name), Text(_state(run), _STYLES.get(run["state"], ""))]
    if wide:
        cells += [_lane(run), ProgressBar(max(run["snapshot"], 1), done(run), width=BAR)]
    cells += [settled, f"{run['failed']:,}"]
    if wide:
        cells += [f"{run['suppressed']:,}", f"{run['deferred']:,}"]
    return [*cells, f"{run['retries']:,}", f"{run['uncertain']:,}", "" if speed is None else f"{speed:,.0f}"]


def _state(run: Row) -> str:
    if run["state"] == "scheduled":
        return f"in {spans.shown(run['starts_in'])}" if run["starts_in"] > 0 else "due"
    if run["resumes_in"] is not None:
        return f"{run['state']} {spans.shown(max(0.0, run['resumes_in']))}"
    return str(run["state"])


def _lane(run: Row) -> str:
    if run["lane"] is None or run["lane"] == "closed":
        return ""
    rate = f", {run['rate_per_hour']:,}/h" if run["rate_per_hour"] else ""
    return f"{run['pool']} {run['lane']} x{run['weight']}{rate}"


def sites(now: Glance, *, width: int) -> Section:
    """Return the destinations in use or waited for: the provider, or `other`."""
    head = [Column("site"), *_figures("id", "connections", "rate", "waiting")]
    rows = [
        (
            names.site(site["site_id"], site["provider"] or ("other" if site["site_id"] else None)),
            str(site["site_id"]),
            f"{site['used']}/{site['allowed']}",
            "" if site["rate"] is None else f"{site['rate']:.3g}/s",
            f"{site['waiting']:,}",
        )
        for site in now.sites
    ]
    return Section(head, rows, width)


def sources(now: Glance, *, width: int) -> Section:
    """Return the ways out."""
    head = [Column("source"), *_figures("connections", "msg/s", "today"), Column("state")]
    rows = [
        (
            Text(source["name"]),
            str(source["used"]),
            f"{source['speed']:,.0f}",
            "" if source["today"] is None else f"{source['today']:,}",
            _source_state(source, now.restrictions),
        )
        for source in now.sources
    ]
    return Section(head, rows, width)


def _source_state(source: Row, imposed: Sequence[Imposed]) -> Text:
    for one in imposed:
        if one.source_id == source["source_id"] and one.site_id is None:
            return Text(one.what, "red" if one.connections == 0 else "yellow")
    return Text("sending", "green") if source["speed"] else Text("connected" if source["used"] else "idle", "dim")


def restricted(now: Glance, *, width: int) -> Section:
    """Return what is imposed just now."""
    rows = [
        (Text(one.where), Text(one.what, "red" if one.connections == 0 else "yellow"), Text(one.why, "dim"))
        for one in now.restrictions
    ]
    return Section([Column("restricted"), Column("how"), Column("by")], rows, width, elastic=2)


def workers(now: Glance, *, width: int) -> Section:
    """Return the processes that hold a lease, or held one just now."""
    rows = []
    for worker in now.workers:
        lease = worker["lease_seconds"]
        rows.append(
            (
                f"{worker['pool']} {worker['slot']}",
                Text(worker["host"]),
                str(worker["pid"]),
                spans.shown(worker["up_seconds"]),
                Text(f"{lease:.0f} s", "green") if lease > 0 else Text(f"silent for {spans.shown(-lease)}", "red"),
                str(worker["chunks"]),
                str(worker["jobs"]),
            )
        )
    head = [
        *(Column("worker"), Column("host")),
        *_figures("pid"),
        *(Column("up"), Column("lease")),
        *_figures("chunks", "jobs"),
    ]
    return Section(head, rows, width, elastic=1, instead=Text("no worker is alive", "red"))
