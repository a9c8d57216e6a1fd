"""The way that mail to a domain takes: its hosts, the rules that hold for them, and which sources carry it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from core.clock import Clock
from core.errors import ConfigurationError, InvalidInput
from core.settings import Settings
from core.ways_out import DirectSettings, RelaySettings
from delivery.allowance import daily_cap
from delivery.routing.routes import Route
from delivery.shaping import Limits
from delivery.ways_out import MAILBOX
from deploy.operating import names, restrictions, targets
from deploy.operating.places import Places
from deploy.operating.restrictions import Imposed


@dataclass(frozen=True, slots=True)
class Carrier:
    """A source that takes this domain's mail. `to` says where it brings it: a relay, or the hosts themselves.

    `daily_cap` is today's, in messages; `held` how the source as a whole is restricted.
    """

    name: str
    to: str
    pools: tuple[str, ...]
    weight: int
    daily_cap: int | None
    held: str | None


@dataclass(frozen=True, slots=True)
class Way:
    """`route` is None where only relays carry, who look for themselves; `site_id` where it is not known, `why_not` why.

    `limits` hold for each direct source at this site, `restrictions` are those in force that concern it.
    """

    domain: str
    route: Route | None
    site_id: int | None
    why_not: str | None
    limits: Limits | None
    restrictions: Sequence[Imposed]
    carriers: Sequence[Carrier]

    def to_json(self) -> dict[str, Any]:
        """Return it for --json."""
        return {
            "domain": self.domain,
            "provider": None if self.route is None else self.route.provider,
            "site": self.site_id,
            "hosts": [] if self.route is None else [asdict(host) for host in self.route.hosts],
            "limits": None if self.limits is None else asdict(self.limits),
            "restrictions": [one.to_json() for one in self.restrictions],
            "sources": [asdict(carrier) for carrier in self.carriers],
        }


def domain_of(address: str) -> str:
    """Return the domain of an address, or the domain itself; raise InvalidInput, which never repeats it."""
    domain = address.strip().rpartition("@")[2].rstrip(".").lower()
    if not (targets.is_domain(domain) or (domain.startswith("[") and domain.endswith("]"))):
        raise InvalidInput("Name an address, or a domain")
    return domain


async def find(settings: Settings, main: asyncpg.Pool, clock: Clock, domain: str) -> Way:
    """Return the way of a domain's mail. Where direct sources have to ask DNS: NoSuchDomain, NullMx, NotResolved."""
    places = Places(settings, main, clock)
    in_force = await restrictions.in_force(main)
    route, site_id, why_not = None, None, None
    if settings.direct:
        route = await places.route(domain)
        try:
            site_id = await places.number(route)
            why_not = None if site_id is not None else "nothing was sent there yet"
        except ConfigurationError as error:
            why_not = f"its number can't be found: {error.detail}"
    relays = bool(settings.relays) or not settings.direct
    return Way(
        domain=domain,
        route=route,
        site_id=site_id,
        why_not=why_not,
        limits=None if route is None else places.shaping.limits(route.provider),
        restrictions=[one for one in in_force if _concerns(one, route, site_id, relays=relays)],
        carriers=_carriers(settings, in_force, clock),
    )


def _concerns(one: Imposed, route: Route | None, site_id: int | None, *, relays: bool) -> bool:
    if one.site_id is None:
        return True
    if one.site_id == names.RELAYED:
        return relays
    if site_id is not None:
        return one.site_id == site_id
    return route is not None and route.provider is not None and one.provider == route.provider


def _carriers(settings: Settings, in_force: Sequence[Imposed], clock: Clock) -> list[Carrier]:
    ways: list[tuple[RelaySettings | DirectSettings, str]] = [
        *((relay, f"the relay {relay.host}:{relay.port}") for relay in settings.relays),
        *((direct, f"the hosts, from {direct.local_address or 'any address'}") for direct in settings.direct),
    ]
    if not ways:
        mailbox = RelaySettings(name=MAILBOX, host="127.0.0.1", port=settings.mailbox_smtp_port)
        ways = [(mailbox, f"the embedded mailbox, 127.0.0.1:{mailbox.port}")]
    today = clock.now().date()
    carriers = []
    for way, to in ways:
        cap_of = daily_cap(way.daily_cap, way.warmup_from, way.warmup)
        held = next((one.what for one in in_force if one.source == way.label and one.site_id is None), None)
        cap = None if cap_of is None else cap_of(today)
        carriers.append(Carrier(way.label, to, way.pools, way.weight, cap, held))
    return carriers
