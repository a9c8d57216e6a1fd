"""`todoku relabel`: judges a period's opens and clicks again, after a change of the rules."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load

if TYPE_CHECKING:
    from tracking.machines.relabel import Relabelled


def relabel(
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME", help="From this time or date on (RFC 3339; UTC unless it says).")
    ],
    to: Annotated[str, typer.Option(metavar="TIME", help="Until before this time or date.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tell people from machines again, by the rules in force, in what happened in a period."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    start, end = _time(from_, "--from"), _time(to, "--to")
    if end <= start:
        raise typer.BadParameter("--to must be after --from")
    done = asyncio.run(_relabel(start, end))
    if json:
        import orjson  # noqa: PLC0415 - as above

        show(orjson.dumps({"judged": done.judged, "changed": done.changed}).decode())
    else:
        show(f"{done.judged:,} events judged, {done.changed:,} labelled anew")


async def _relabel(start: datetime, end: datetime) -> "Relabelled":
    from deploy import databases  # noqa: PLC0415 - as above
    from tracking.machines import relabel as relabelling  # noqa: PLC0415
    from tracking.machines import rules  # noqa: PLC0415

    async with databases.reached(load(), "main", process="relabel") as main:
        return await relabelling.relabel(main, rules.load(), start, end)


def _time(text: str, option: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{option} is a time such as 2026-11-26T09:00:00+09:00, or a date") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
