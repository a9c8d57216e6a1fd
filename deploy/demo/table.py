"""Shows the verdict: played and reported side by side for each campaign, then what else must be so."""

from collections.abc import Mapping
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.columns import Columns
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.demo.verdict import CampaignResult, Verdict


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Print the tables, as many beside one another as there is room for; what differs is red."""
    console.print()
    console.print(Columns([_campaign(result) for result in verdict.results], padding=(1, 2)))
    console.print(_checks(verdict))
    if verdict.ok:
        console.print("[bold green]Every figure of the reports is what was played.[/bold green]")
    else:
        bad = len(verdict.differences) + sum(not check.ok for check in verdict.checks)
        console.print(f"[bold red]{bad} {'thing is' if bad == 1 else 'things are'} not as they must be.[/bold red]")


def _campaign(result: CampaignResult) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=result.name, title_justify="left", title_style="bold")
    table.add_column("", no_wrap=True)
    for column in ("played", "reported"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in result.rows:
        style = "green" if row.equal else "bold red"
        for name, done, reported in _lines(row.figure.replace("_", " "), row.done, row.reported):
            table.add_row(Text(name, style if not row.equal else ""), Text(done), Text(reported, style))
    table.add_section()
    shown = result.shown()
    late = shown["lateness_ms"]
    table.add_row("first mail late by", "", "-" if late is None else f"{late:,} ms")
    table.add_row("messages a second", "", f"{shown['messages_per_second']:,.0f}")
    return table


def _lines(name: str, done: Any, reported: Any) -> list[tuple[str, str, str]]:
    """Return a figure as one line, reasons as a line each, links as their sum (and the first that differs)."""
    if isinstance(done, Mapping):
        known = reported if isinstance(reported, Mapping) else {}
        reasons = sorted(done.keys() | known.keys())
        return [(f"  {reason}".replace("_", " "), _number(done, reason), _number(known, reason)) for reason in reasons]
    if isinstance(done, list):
        lines = []
        for title, place in ((f"clicks of {len(done)} links", 1), ("  by people", 3)):
            clicks = [sum(link[place] for link in links) for links in (done, reported)]
            lines.append((title, f"{clicks[0]:,}", f"{clicks[1]:,}"))
        differing = [number for number, pair in enumerate(zip(done, reported, strict=False)) if pair[0] != pair[1]]
        return lines + [(f"  link {n}", _people(done[n]), _people(reported[n])) for n in differing[:3]]
    return [(name, f"{done:,}", f"{reported:,}" if isinstance(reported, int) else "missing")]


def _number(counts: Mapping[str, int], reason: str) -> str:
    return f"{counts.get(reason, 0):,}"


def _people(link: tuple[str, int, int, int, int]) -> str:
    return f"{link[1]} by {link[2]}, {link[3]} by {link[4]} people"


def _checks(verdict: Verdict) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="And besides", title_justify="left", title_style="bold")
    for column, justify in (("", "left"), ("what", "left"), ("expected", "right"), ("found", "right")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    for check in verdict.checks:
        mark = Text("✔", "green") if check.ok else Text("✘", "bold red")
        if isinstance(check.expected, Mapping):
            table.add_row(mark, check.what, "" if check.expected or check.found else "none", "none" * (not check.found))
            for name in sorted(check.expected.keys() | check.found.keys()):
                table.add_row("", f"  {name}", _number(check.expected, name), _number(check.found, name))
        else:
            table.add_row(mark, check.what, _cell(check.expected), _cell(check.found))
    return table


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)
