"""`todoku steal`: plays the thief, and says what they would learn."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from deploy.theft.known import Known
    from deploy.theft.resemblance import Resemblance
    from deploy.theft.search import Search
    from deploy.theft.swap import Swap

_MOST_SHOWN = 50

Paths = list[Path]


def steal(
    known: Annotated[
        Path | None, typer.Option(help="A CSV file of people that the thief knows: email, name, … a column each.")
    ] = None,
    dump: Annotated[Paths | None, typer.Option(help="A dump of a database, or a directory of them.")] = None,
    logs: Annotated[Paths | None, typer.Option(help="Log files, or a directory of them.")] = None,
    wire: Annotated[Paths | None, typer.Option(help="Recorded traffic, or a directory of it.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Stage a service of its own and rob that instead.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Search dumps, logs and recorded traffic for known people. Exit code 1 if anything of them is found."""
    stolen = [*(dump or ()), *(logs or ()), *(wire or ())]
    if demo == bool(known or stolen) or (not demo and not (known and stolen)):
        raise typer.BadParameter("Either --demo, or --known with at least one of --dump, --logs and --wire")
    search, resembling, swaps = asyncio.run(_demo()) if demo else _robbed(known, dump or [], stolen)
    opened = sum(swap.opened for swap in swaps)
    if json:
        _show_json(search, resembling, swaps)
    else:
        _show(search, resembling, swaps)
    if not search.clean or opened or (demo and not swaps):
        raise typer.Exit(1)


def _robbed(known: Path | None, dumps: Paths, stolen: Paths) -> "tuple[Search, Resemblance, list[Swap]]":
    from deploy.theft.known import read_known  # noqa: PLC0415 - the command line starts without it

    return *_searched(read_known(known) if known else [], dumps, stolen), []


async def _demo() -> "tuple[Search, Resemblance, list[Swap]]":
    import csv  # noqa: PLC0415 - as above
    import io  # noqa: PLC0415

    from core import logs  # noqa: PLC0415
    from core.clock import SystemClock  # noqa: PLC0415
    from deploy.commands.output import note  # noqa: PLC0415
    from deploy.theft.known import known_of  # noqa: PLC0415
    from deploy.theft.robbery import robbed  # noqa: PLC0415
    from deploy.theft.victims import to_csv  # noqa: PLC0415

    logs.configure("steal", "warning")
    note("Staging a service, and recording all that it says to its databases …")
    async with robbed(SystemClock()) as loot:
        known = list(known_of(csv.DictReader(io.StringIO(to_csv(loot.victims), newline=""))))
        note(f"Searching for {len(known)} things known of {len(loot.victims)} people …")
        return *_searched(known, [loot.dumps], [loot.dumps, loot.logs, loot.wire]), loot.swaps


def _searched(known: "list[Known]", dumps: Paths, stolen: Paths) -> "tuple[Search, Resemblance]":
    from deploy.theft.loot import dumped_rows  # noqa: PLC0415 - as above
    from deploy.theft.resemblance import resemblance  # noqa: PLC0415
    from deploy.theft.search import search  # noqa: PLC0415

    return search(known, stolen), resemblance(dumped_rows(dumps))


def _show(search: "Search", resembling: "Resemblance", swaps: "list[Swap]") -> None:
    from deploy.commands.output import show, show_table  # noqa: PLC0415 - as above

    show(
        f"{search.values:,} values in {search.patterns:,} forms, looked for in {search.bytes_read:,} bytes "
        f"of {search.places:,} files"
    )
    if search.too_short:
        show(f"{search.too_short:,} values were too short to be told from chance, and were not looked for")
    for swap in swaps:
        show(f"two members' {swap.what} swapped: {swap.opened} of 2 opened")
    lines = resembling.lines()
    if lines:
        show_table(("what ciphertexts tell, by design (docs/security.md)", ""), lines)
    if search.leaks:
        rows = [
            (leak.where, str(leak.line), leak.kind, leak.how, f"{count:,}")
            for leak, count in sorted(search.leaks.items())[:_MOST_SHOWN]
        ]
        show_table(("found in", "line", "what", "spelt as", "pieces"), rows)
        show(f"LEAKED: {len(search.leaks):,} findings; the line is that of the file of known people")
    else:
        show("Nothing of anybody was found." if search.bytes_read else "There was nothing to search.")


def _show_json(search: "Search", resembling: "Resemblance", swaps: "list[Swap]") -> None:
    import orjson  # noqa: PLC0415 - as above

    from deploy.commands.output import show  # noqa: PLC0415

    leaks = [
        {"where": leak.where, "line": leak.line, "kind": leak.kind, "how": leak.how, "pieces": count}
        for leak, count in sorted(search.leaks.items())
    ]
    shown = {
        "ok": search.clean and not any(swap.opened for swap in swaps),
        "values": search.values,
        "patterns": search.patterns,
        "too_short": search.too_short,
        "bytes": search.bytes_read,
        "files": search.places,
        "leaks": leaks,
        "swaps": [swap._asdict() for swap in swaps],
        "by_design": dict(resembling.lines()),
    }
    show(orjson.dumps(shown).decode())
