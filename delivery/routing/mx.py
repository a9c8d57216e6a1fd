"""Which hosts take a domain's mail, in what order, and which addresses may be connected to. Pure."""

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from random import Random
from typing import NamedTuple

from delivery.routing.errors import NullMx

MAX_HOSTS = 10
"""MX hosts of a domain that are looked at; a domain with more loses nothing by it."""
MAX_ADDRESSES = 5
"""Addresses of a host that are tried, as Postfix's smtp_mx_address_limit."""


class Exchange(NamedTuple):
    """One MX record, its host name in lower case without the trailing dot; "" is the root, "."."""

    preference: int
    host: str


def in_order(exchanges: Iterable[Exchange], random: Random) -> list[str]:
    """Return the hosts by preference, those of equal preference shuffled (RFC 5321 section 5.1); raises NullMx."""
    records = list(exchanges)
    if len(records) == 1 and not records[0].host:
        raise NullMx
    shuffled = sorted(records, key=lambda one: (one.preference, random.random()))
    return list(dict.fromkeys(one.host for one in shuffled if one.host))[:MAX_HOSTS]


def key_of(hosts: Iterable[str]) -> str:
    """Return what stands for a set of hosts, whatever their order."""
    return " ".join(sorted(set(hosts)))


def reachable(addresses: Iterable[str], *, loopback: bool) -> list[str]:
    """Return the addresses that mail may go to.

    A domain's owner may publish any address: one that leads to this machine itself, to none or to many is nobody's
    mail host, and would have us talk to ourselves (RFC 5321 section 5.1, "mail loops").
    """
    kept = []
    for text in addresses:
        address = ip_address(text)
        if address.is_unspecified or address.is_multicast or address.is_reserved or address.is_link_local:
            continue
        if address.is_loopback and not loopback:
            continue
        kept.append(text)
    return kept


def shuffled(addresses: Sequence[str], random: Random) -> tuple[str, ...]:
    """Return a host's addresses in an order of their own, both families mixed."""
    return tuple(random.sample(addresses, len(addresses)))[:MAX_ADDRESSES]
