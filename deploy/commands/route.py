"""`todoku route`: which way mail to an address takes, and what rules hold there."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from delivery.shaping import Limits
    from deploy.operating.way import Carrier, Way

_TLS = {
    "opportunistic": "used where the host offers it (RFC 7435)",
    "required": "required: no mail without it; certificates are not verified",
    "none": "not used",
}


def route(
    address: Annotated[str, typer.Argument(help="An address, or its domain alone.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show which way mail to an address takes: hosts in order, limits, restrictions, sources. Sends nothing."""
    from deploy.commands.output import show  # noqa: PLC0415 - the command line starts without it

    way = asyncio.run(_find(address))
    if json:
        import orjson  # noqa: PLC0415 - as above

        show(orjson.dumps(way.to_json()).decode())
        return
    for line in _lines(way):
        show(line)


async def _find(address: str) -> "Way":
    from core.clock import SystemClock  # noqa: PLC0415 - as above
    from deploy import databases  # noqa: PLC0415
    from deploy.operating import way  # noqa: PLC0415

    domain, settings = way.domain_of(address), load()
    async with databases.reached(settings, "main", process="route") as main:
        return await way.find(settings, main, SystemClock(), domain)


def _lines(way: "Way") -> "Iterator[str]":
    yield f"domain      {way.domain}"
    if way.route is None:
        yield "hosts       its relay's business: no source delivers directly"
    else:
        number = f"site-{way.site_id}" if way.why_not is None else way.why_not
        yield f"site        {number if way.route.provider is None else f'{way.route.provider} ({number})'}"
        for place, host in enumerate(way.route.hosts, 1):
            port = "" if host.port == 25 else f" port {host.port}"  # noqa: PLR2004 - SMTP
            yield f"host {place:<6} {host.name}{port}: {', '.join(host.addresses)}"
    if way.limits is not None:
        yield f"limits      {_limits(way.limits)}"
        yield f"TLS         {_TLS[way.limits.tls]}"
    for one in way.restrictions:
        yield f"restricted  {one.where}: {one.what} ({one.why})"
    for carrier in way.carriers:
        yield f"source      {_carrier(carrier)}"


def _limits(limits: "Limits") -> str:
    from deploy.operating import spans  # noqa: PLC0415 - as above

    rate = "" if limits.rate is None else f", {limits.rate:g} messages/s"
    return (
        f"{limits.connections} connections, {limits.start} at first{rate},"
        f" {limits.messages_per_connection:,} messages a connection, idle {spans.shown(limits.idle)};"
        " for each direct source"
    )


def _carrier(carrier: "Carrier") -> str:
    cap = "" if carrier.daily_cap is None else f", {carrier.daily_cap:,} messages today at most"
    held = "" if carrier.held is None else f"; {carrier.held}"
    return f"{carrier.name} to {carrier.to} ({', '.join(carrier.pools)}; weight {carrier.weight}{cap}){held}"
