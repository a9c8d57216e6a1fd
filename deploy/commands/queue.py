"""`todoku queue`: what waits, where, and why."""

import asyncio
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load

if TYPE_CHECKING:
    from deploy.operating.restrictions import Imposed
    from deploy.operating.waiting import Group

MOST = 20
"""Groups of a run, and restrictions, that are shown unless all are asked for."""


def queue(
    campaign: Annotated[str | None, typer.Option(help="Of this campaign alone (cmp_…).")] = None,
    site: Annotated[
        str | None, typer.Option(help="Of this site alone: a provider (gmail), a number (site-12), a domain, or relay.")
    ] = None,
    all_: Annotated[
        bool, typer.Option("--all", help=f"Show more than {MOST} groups of a run, or restrictions.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what waits, where and why: recipients by run, site and reason, and what restricts them."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    groups, restrictions = asyncio.run(_queue(campaign, site))
    if json:
        import orjson  # noqa: PLC0415 - as above

        shown = {
            "recipients": sum(group.recipients for group in groups),
            "chunks": sum(group.chunks for group in groups),
            "groups": [group.to_json() for group in groups],
            "restrictions": [restriction.to_json() for restriction in restrictions],
        }
        show(orjson.dumps(shown).decode())
    else:
        _show(groups, restrictions, most=None if all_ else MOST)


async def _queue(campaign: str | None, site: str | None) -> "tuple[Sequence[Group], Sequence[Imposed]]":
    from core.clock import SystemClock  # noqa: PLC0415 - as above
    from deploy import databases  # noqa: PLC0415
    from deploy.operating import restrictions, targets, waiting  # noqa: PLC0415
    from deploy.operating.places import Places  # noqa: PLC0415

    settings = load()
    async with databases.reached(settings, "main", process="queue") as main:
        campaign_id = None if campaign is None else (await targets.find_campaign(main, campaign)).campaign_id
        places = Places(settings, main, SystemClock())
        site_id = None if site is None else (await targets.find_site(main, site, places.find)).site_id
        groups = await waiting.groups(main, campaign_id=campaign_id, site_id=site_id)
        held = [one for one in await restrictions.in_force(main) if one.concerns(None, site_id)]
    return groups, held


def _show(groups: "Sequence[Group]", restrictions: "Sequence[Imposed]", *, most: int | None) -> None:
    from core import ids  # noqa: PLC0415 - as above
    from deploy.commands.output import show, show_table  # noqa: PLC0415
    from deploy.operating import names  # noqa: PLC0415

    for (run_id, campaign_id), found in groupby(groups, lambda group: (group.run_id, group.campaign_id)):
        of_run = list(found)
        first, total = of_run[0], sum(group.recipients for group in of_run)
        test = " (test)" if first.kind == "test" else ""
        held = f", {first.held_by}" if first.held_by else ""
        show(f"{names.campaign(campaign_id)}  {ids.encode('run', run_id)}{test}: {total:,} recipients{held}")
        chosen = of_run[:most]
        rows = [*map(_cells, chosen)]
        if len(chosen) < len(of_run):
            left = of_run[len(chosen) :]
            rest = sum(group.recipients for group in left)
            rows.append((f"… {len(left):,} more", "", f"{rest:,}", f"{sum(g.chunks for g in left):,}", "", ""))
        show_table(("site", "why", "recipients", "chunks", "due", "held"), rows)
    for restriction in restrictions[:most]:
        show(f"{restriction.where}: {restriction.what} ({restriction.why})")
    if most is not None and len(restrictions) > most:
        show(f"… {len(restrictions) - most:,} more restrictions")
    chunks, recipients = (sum(getattr(group, name) for group in groups) for name in ("chunks", "recipients"))
    show(f"{recipients:,} recipients in {chunks:,} chunks" if groups else "Nothing waits.")


def _cells(group: "Group") -> tuple[str, ...]:
    from deploy.operating import spans  # noqa: PLC0415 - as above

    due = "now" if group.due_in <= 0 else f"in {spans.shown(group.due_in)}"
    if group.why == "sending":
        due = ""
    held = "" if group.held_for is None else f"for {spans.shown(group.held_for)}"
    return group.site, group.why, f"{group.recipients:,}", f"{group.chunks:,}", due, held
