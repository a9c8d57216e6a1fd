"""DNS questions through dnspython: the only importer of `dns`. Bounded in time and number, told apart by what fails."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from typing import NamedTuple, Protocol

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdtypes.ANY.MX
import dns.resolver

from core.errors import ConfigurationError
from delivery.routing.errors import NoSuchDomain, NotResolved
from delivery.routing.mx import Exchange

LIFETIME = 10.0
"""Seconds for one question, all tries included."""
AT_ONCE = 50
DNS_PORT = 53


class Exchanges(NamedTuple):
    """MX records (none: the domain exists and has none) and how long they hold, in seconds."""

    records: tuple[Exchange, ...]
    ttl: float


class Addresses(NamedTuple):
    """A host's addresses (none: it has no address) and how long they hold, in seconds."""

    found: tuple[str, ...]
    ttl: float


class Resolver(Protocol):
    """What a router asks. Both raise NoSuchDomain (the name does not exist) and NotResolved (no answer now)."""

    async def mx(self, domain: str) -> Exchanges:
        """Return a domain's MX records."""

    async def addresses(self, host: str) -> Addresses:
        """Return a host's IPv4 and IPv6 addresses."""


class DnsResolver:
    """`servers`: addresses of name servers, each with its port if not 53 ("127.0.0.1:5353"); empty: the system's."""

    def __init__(self, servers: Sequence[str] = (), *, lifetime: float = LIFETIME) -> None:
        try:
            self._resolver = dns.asyncresolver.Resolver(configure=not servers)
            if servers:
                self._resolver.nameservers = [
                    dns.nameserver.Do53Nameserver(*_address_and_port(server)) for server in servers
                ]
        except (dns.exception.DNSException, ValueError) as error:
            raise ConfigurationError(f"The name servers can't be used: {error}") from None
        self._resolver.lifetime = lifetime
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def mx(self, domain: str) -> Exchanges:
        """See `Resolver.mx`."""
        answer = await self._ask(domain, "MX")
        if answer.rrset is None:
            return Exchanges((), _ttl(answer))
        records = tuple(
            Exchange(record.preference, record.exchange.to_text(omit_final_dot=True).lower().strip("."))
            for record in answer.rrset
            if isinstance(record, dns.rdtypes.ANY.MX.MX)
        )
        return Exchanges(records, _ttl(answer))

    async def addresses(self, host: str) -> Addresses:
        """See `Resolver.addresses`."""
        answers = await asyncio.gather(self._ask(host, "A"), self._ask(host, "AAAA"), return_exceptions=True)
        good = [one for one in answers if isinstance(one, dns.resolver.Answer)]
        found = tuple(record.to_text() for answer in good if answer.rrset is not None for record in answer.rrset)
        if found:
            return Addresses(found, min(_ttl(answer) for answer in good if answer.rrset is not None))
        for failure in (NotResolved, NoSuchDomain):
            if any(isinstance(one, failure) for one in answers):
                raise failure
        for one in answers:
            if isinstance(one, BaseException):
                raise one
        return Addresses((), min(_ttl(answer) for answer in good))

    async def _ask(self, name: str, kind: str) -> dns.resolver.Answer:
        try:
            async with self._at_once:
                return await self._resolver.resolve(dns.name.from_text(name), kind, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            raise NoSuchDomain from None
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, dns.name.BadEscape, UnicodeError):
            # What can't be a name in DNS doesn't exist there.
            raise NoSuchDomain from None
        except (dns.exception.DNSException, OSError):
            raise NotResolved from None


def _ttl(answer: dns.resolver.Answer) -> float:
    """Return how many seconds an answer holds; one without records by its SOA (RFC 2308), which dnspython has read."""
    return float(answer.chaining_result.minimum_ttl)


def _address_and_port(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return str(ip_address(host.strip("[]"))), int(port)
    return str(ip_address(server.strip("[]"))), DNS_PORT
