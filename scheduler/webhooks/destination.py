"""Where a webhook may lead: https, and to public addresses alone, so that nobody reaches our own network through us.

Checked twice: what can be said of a URL when it is set, and every address of its name at each post. The post then goes
to an address that was checked, whatever the name says a moment later.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit

from core.errors import Fault, InvalidInput

MAX_URL = 2_000
MAX_ADDRESSES = 32

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[list[Address]]]
"""Name and port to all of its addresses; raises OSError."""

_NAT64 = 0x64_FF9B << 96


class Forbidden(Exception):  # noqa: N818 - named by meaning
    """The name leads to an address that is not public."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A URL taken apart. `target` is the request's target: path and query."""

    host: str
    port: int
    tls: bool
    target: str

    @property
    def authority(self) -> str:
        """What the Host header says (RFC 9110 section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


def parse(url: str, *, loopback: bool = False) -> Destination:
    """Take a URL apart; InvalidInput if no webhook may lead there. `loopback`: plain http to loopback may, too."""
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise _refused(f"At most {MAX_URL} printable ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("Not a URL") from None
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise _refused("A URL that begins with https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _refused("Without a user, a password or a fragment")
    literal = _literal(parts.hostname)
    local = literal is not None and literal.is_loopback
    if parts.scheme == "http" and not (loopback and local):
        raise _refused("https: what is posted is nobody else's business")
    if literal is not None and not is_public(literal) and not (loopback and local):
        raise _refused("Not an address of a private network")
    tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.hostname, port or (443 if tls else 80), tls, target)


def is_public(address: Address) -> bool:
    """Whether an address is of the open internet, also within IPv6 that leads to IPv4 (mapped, 6to4, Teredo, NAT64)."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and int(address) >> 32 == _NAT64 >> 32:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


async def addresses(destination: Destination, resolve: Resolve, *, loopback: bool = False) -> list[Address]:
    """Return where a post may go now. Forbidden if any address of the name may not be reached; OSError if it has none.

    One bad address forbids them all: a name that leads to both is not a mistake.
    """
    literal = _literal(destination.host)
    found = [literal] if literal is not None else await resolve(destination.host, destination.port)
    if not found:
        raise OSError("The name has no address")
    if not all(is_public(one) or (loopback and one.is_loopback) for one in found):
        raise Forbidden
    return found[:MAX_ADDRESSES]


async def resolve_by_system(host: str, port: int) -> list[Address]:
    """Return all addresses that the system's resolver gives for a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _refused(detail: str) -> InvalidInput:
    return InvalidInput("The webhook can't lead there", [Fault("/url", "url", detail)])
