"""Finds and remembers routes: static ones first, then by MX, then by address (RFC 5321 section 5.1).

What was found holds as long as DNS says, within bounds; so does that nothing is there. One question a domain is under
way at most, however many messages wait for its answer.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from random import Random
from typing import TypeAlias

import idna

from core.clock import Clock
from core.errors import ConfigurationError
from delivery.routing.errors import NoSuchDomain, NotResolved, NullMx
from delivery.routing.mx import in_order, key_of, reachable, shuffled
from delivery.routing.resolver import Resolver
from delivery.routing.routes import Host, Route

LEAST_SECONDS, MOST_SECONDS = 60.0, 3_600.0
"""How long a route is remembered, whatever DNS says: it spares questions, and a move is noticed within the hour."""
MOST_SECONDS_OF_NOTHING = 300.0
SECONDS_OF_FAILURE = 30.0
REMEMBERED = 100_000
ANY_DOMAIN = "*"
_MAX_PORT = 65_535

Undeliverable: TypeAlias = NoSuchDomain | NullMx


@dataclass(frozen=True, slots=True)
class _Known:
    found: Route | Undeliverable | NotResolved
    until: float


class Router:
    """`static` maps a domain, or "*" for all, to hosts ("mx.example:2525", "[127.0.0.1]:2525") instead of its MX.

    `provider_of` names whom a set of MX hosts belongs to. `allow_loopback` is for tests, as are ports other than 25.
    """

    def __init__(
        self,
        resolver: Resolver,
        *,
        provider_of: Callable[[Sequence[str]], str | None],
        clock: Clock,
        random: Random,
        static: Mapping[str, Sequence[str]] | None = None,
        port: int = 25,
        allow_loopback: bool = False,
    ) -> None:
        self._resolver = resolver
        self._provider_of = provider_of
        self._clock = clock
        self._random = random
        self._static = {
            domain.lower(): [_named(host, port) for host in hosts] for domain, hosts in (static or {}).items()
        }
        self._port = port
        self._allow_loopback = allow_loopback
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._asked: dict[str, asyncio.Task[_Known]] = {}

    def known(self, domain: str) -> Route | Undeliverable | None:
        """Return a domain's route or why it has none, if that is remembered."""
        known = self._known.get(domain)
        if known is None or known.until <= self._clock.monotonic() or isinstance(known.found, NotResolved):
            return None
        return known.found

    async def route(self, domain: str) -> Route:
        """Return a domain's route; raises NoSuchDomain, NullMx, NotResolved."""
        known = self._known.get(domain)
        if known is None or known.until <= self._clock.monotonic():
            asking = self._asked.get(domain)
            if asking is None:
                asking = self._asked[domain] = asyncio.create_task(self._look_up(domain))
                asking.add_done_callback(lambda _task: self._asked.pop(domain, None))
            # Shielded: one who waits may be cut off, the others still want to know.
            known = await asyncio.shield(asking)
        if isinstance(known.found, Route):
            return known.found
        # A new one each time: an exception that is raised twice grows its traceback.
        raise type(known.found)

    async def _look_up(self, domain: str) -> _Known:
        found: Route | Undeliverable | NotResolved
        try:
            found, ttl = await self._find(domain)
            seconds = min(max(ttl, LEAST_SECONDS), MOST_SECONDS)
        except (NoSuchDomain, NullMx) as error:
            found, seconds = error.with_traceback(None), MOST_SECONDS_OF_NOTHING
        except NotResolved as error:
            found, seconds = error.with_traceback(None), SECONDS_OF_FAILURE
        known = self._known[domain] = _Known(found, self._clock.monotonic() + seconds)
        self._known.move_to_end(domain)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return known

    async def _find(self, domain: str) -> tuple[Route, float]:
        static = self._static.get(domain.lower()) or self._static.get(ANY_DOMAIN)
        if static:
            return await self._with_addresses(static, MOST_SECONDS)
        if domain.startswith("["):
            return self._literal(domain)
        name = _ascii(domain)
        exchanges = await self._resolver.mx(name)
        # Without MX the domain is its own mail host (RFC 5321 section 5.1).
        hosts = in_order(exchanges.records, self._random) if exchanges.records else [name]
        return await self._with_addresses([(host, self._port) for host in hosts], exchanges.ttl)

    async def _with_addresses(self, hosts: Sequence[tuple[str, int]], ttl: float) -> tuple[Route, float]:
        looked_up = await asyncio.gather(*(self._addresses(host) for host, _ in hosts), return_exceptions=True)
        found = []
        for (host, port), addresses in zip(hosts, looked_up, strict=True):
            if isinstance(addresses, tuple):
                ttl = min(ttl, addresses[1])
                usable = reachable(addresses[0], loopback=self._allow_loopback)
                if usable:
                    found.append(Host(host, shuffled(usable, self._random), port))
            elif not isinstance(addresses, NoSuchDomain | NotResolved):
                raise addresses
        if not found:
            if any(isinstance(one, NotResolved) for one in looked_up):
                raise NotResolved
            raise NoSuchDomain
        names = [host for host, _ in hosts]
        return Route(
            key_of(f"{host}:{port}" if port != self._port else host for host, port in hosts),
            tuple(found),
            self._provider_of(names),
        ), ttl

    async def _addresses(self, host: str) -> tuple[Sequence[str], float]:
        if host.startswith("["):
            return (str(_literal_address(host)),), MOST_SECONDS
        return await self._resolver.addresses(host)

    def _literal(self, domain: str) -> tuple[Route, float]:
        """Return the route of an address literal (RFC 5321 section 4.1.3)."""
        addresses = reachable([str(_literal_address(domain))], loopback=self._allow_loopback)
        if not addresses:
            raise NoSuchDomain
        return Route(domain, (Host(domain, tuple(addresses), self._port),)), MOST_SECONDS


def _literal_address(literal: str) -> object:
    try:
        return ip_address(literal.strip("[]").removeprefix("IPv6:").removeprefix("ipv6:"))
    except ValueError:
        raise NoSuchDomain from None


def _ascii(domain: str) -> str:
    """Return a domain as DNS knows it, its labels beyond ASCII as A-labels (RFC 5891)."""
    try:
        return domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise NoSuchDomain from None


def _named(host: str, port: int) -> tuple[str, int]:
    name, colon, number = host.rpartition(":")
    if not colon or (host.startswith("[") and host.endswith("]")):
        return host.lower(), port
    if not number.isdigit() or not 0 < int(number) <= _MAX_PORT or not name:
        raise ConfigurationError('A static route names hosts as "mx.example", "mx.example:2525" or "[127.0.0.1]:2525"')
    return name.lower(), int(number)
