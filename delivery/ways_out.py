"""The sources and the router that the settings ask for: relays, direct delivery, or the embedded mailbox."""

from random import SystemRandom

from core.clock import Clock
from core.settings import Settings
from core.ways_out import DirectSettings, RelaySettings
from delivery import recovery
from delivery.allowance import DailyAllowance, daily_cap
from delivery.pacing.caps import Caps
from delivery.pacing.sites import Sites
from delivery.routing.resolver import DnsResolver
from delivery.routing.router import Router
from delivery.shaping import Limits, Shaping
from delivery.single import SingleSender
from delivery.smtp.peer import Peer, Timeouts
from delivery.source import Source

MAILBOX = "mailbox"


async def sources_of(settings: Settings, pool: str, *, sites: Sites, caps: Caps, clock: Clock) -> list[Source]:
    """Return the pool's sources; without any in the settings the embedded mailbox is the only way out."""
    timeouts = Timeouts(body=recovery.BODY_SECONDS, final=settings.final_dot_timeout)
    ways: tuple[RelaySettings | DirectSettings, ...] = (*_relays(settings), *settings.direct)
    sources = []
    for one in ways:
        if pool not in one.pools:
            continue
        source = Source(
            source_id=await sites.source(one.label),
            name=one.label,
            weight=one.weight,
            ehlo_name=settings.ehlo_name,
            timeouts=timeouts,
        )
        cap_of = daily_cap(one.daily_cap, one.warmup_from, one.warmup)
        if cap_of is not None:
            source.allowance = DailyAllowance(caps, source.source_id, cap_of, clock)
        if isinstance(one, DirectSettings):
            source.ehlo_name = one.ehlo_name or settings.ehlo_name
            source.local_address = str(one.local_address) if one.local_address else None
        else:
            source.peer = _peer(one)
            source.limits = Limits(
                connections=one.connections,
                start=one.connections,
                rate=one.rate,
                messages_per_connection=one.messages_per_connection,
            )
        sources.append(source)
    return sources


def single_sender(settings: Settings, router: Router | None, *, timeouts: Timeouts) -> SingleSender:
    """Return what sends one message at a time by the ways out of the pool `fast`; `router` for direct delivery."""
    relays = tuple(_peer(one) for one in _relays(settings) if "fast" in one.pools)
    return SingleSender(relays, router, ehlo_name=settings.ehlo_name, timeouts=timeouts)


def router_of(settings: Settings, shaping: Shaping, clock: Clock) -> Router:
    """Return the router for direct delivery."""
    return Router(
        DnsResolver(settings.dns_servers),
        provider_of=shaping.provider_of,
        clock=clock,
        random=SystemRandom(),
        static=settings.routes,
        port=settings.direct_port,
        allow_loopback=settings.loopback_routes,
    )


def _relays(settings: Settings) -> tuple[RelaySettings, ...]:
    if settings.relays or settings.direct:
        return settings.relays
    return (RelaySettings(name=MAILBOX, host="127.0.0.1", port=settings.mailbox_smtp_port, tls="none"),)


def _peer(relay: RelaySettings) -> Peer:
    return Peer(
        host=relay.host,
        port=relay.port,
        tls=relay.tls,
        username=relay.username,
        password=relay.password,
        ca_file=relay.ca_file,
    )
