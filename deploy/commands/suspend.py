"""`todoku suspend` and `todoku resume`: a site, a source or a campaign sends nothing for a time, or goes on."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load

if TYPE_CHECKING:
    import asyncpg

    from deploy.operating.targets import Campaign

_WHAT = "A site (gmail, site-12, a domain), a source's name, or a campaign's id."
LONGEST_REASON = 150

Target = Annotated[str, typer.Argument(metavar="TARGET", help=_WHAT)]


def suspend(
    target: Target,
    span: Annotated[str, typer.Option("--for", help="For how long: 90s, 15min, 2h, 3d.")],
    reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "",
) -> None:
    """Send nothing to a site, by a source, or of a campaign for a time. What waits loses no attempt by it."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it
    from deploy.operating import spans  # noqa: PLC0415

    seconds = spans.parse(span)
    name = asyncio.run(_suspend(target, seconds, _checked(reason)))
    show(f"{name} is suspended for {spans.shown(seconds)}; `todoku resume {name}` ends it.")


def resume(target: Target) -> None:
    """Lift every restriction of a site or of a source, or let a campaign go on."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    show(asyncio.run(_resume(target)))


async def _suspend(text: str, seconds: float, reason: str) -> str:
    from core.clock import SystemClock  # noqa: PLC0415 - the command line starts without them
    from delivery.pacing.restrictions import Restrictions  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.operating import targets  # noqa: PLC0415
    from deploy.operating.places import Places  # noqa: PLC0415

    settings = load()
    async with databases.reached(settings, "main", process="suspend") as main:
        found = await targets.find(main, text, Places(settings, main, SystemClock()).find_or_number)
        if isinstance(found, targets.Campaign):
            await _suspend_campaign(main, found, seconds, reason)
        else:
            await Restrictions(main).impose(
                source_id=found.source_id if isinstance(found, targets.Source) else None,
                site_id=found.site_id if isinstance(found, targets.Site) else None,
                connections=0,
                rate=None,
                seconds=seconds,
                reason=reason or "no reason given",
                imposed_by="operator",
            )
    return found.name


async def _suspend_campaign(main: "asyncpg.Pool", campaign: "Campaign", seconds: float, reason: str) -> None:
    from core.errors import Conflict  # noqa: PLC0415 - as above
    from scheduler.campaigns import steering  # noqa: PLC0415

    why = "suspended by an operator" + (f": {reason}" if reason else "")
    if campaign.run_id is None or not await steering.suspend(main, campaign.run_id, seconds, why):
        raise Conflict(f"A campaign that is {campaign.state or 'a draft'} can't be suspended")


async def _resume(text: str) -> str:
    from core.clock import SystemClock  # noqa: PLC0415 - as above
    from delivery.pacing.restrictions import Restrictions  # noqa: PLC0415
    from deploy import databases  # noqa: PLC0415
    from deploy.operating import targets  # noqa: PLC0415
    from deploy.operating.places import Places  # noqa: PLC0415
    from scheduler.campaigns import steering  # noqa: PLC0415
    from scheduler.campaigns.states import Action  # noqa: PLC0415

    settings = load()
    async with databases.reached(settings, "main", process="resume") as main:
        found = await targets.find(main, text, Places(settings, main, SystemClock()).find)
        if isinstance(found, targets.Campaign):
            await steering.steer(main, Action.RESUME, account_id=found.account_id, campaign_id=found.campaign_id)
            return f"{found.name} goes on."
        lifted = await Restrictions(main).lift(
            source_id=found.source_id if isinstance(found, targets.Source) else None,
            site_id=found.site_id if isinstance(found, targets.Site) else None,
        )
    return f"{found.name}: {lifted} restrictions lifted." if lifted else f"{found.name} was not restricted."


def _checked(reason: str) -> str:
    """Return the reason, trimmed; InvalidInput for one that is too long, no line, or holds an address."""
    from core.errors import Fault, InvalidInput  # noqa: PLC0415 - as above

    said = reason.strip()
    if len(said) > LONGEST_REASON or not said.isprintable() or "@" in said:
        detail = f"The reason is one line of up to {LONGEST_REASON} characters, without an address"
        raise InvalidInput(detail, [Fault("/reason", "invalid", "Not such a line")])
    return said
