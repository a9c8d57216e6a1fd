"""Who a request comes from: the peer, or what a proxy that we were told of says of it.

Only a named proxy is believed, and of what it passes on only what the nearest of them wrote: anybody can begin a
header.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fastapi import Request

_HEADER = "x-forwarded-for"
_MOST_HOPS = 20
_NOBODY = IPv6Address(0)
_NETWORK_BITS = {4: 24, 6: 56}
"""How much of an address names the network that somebody sits in: what one subscriber or office usually has."""


class ClientAddresses:
    """`proxies` are the networks whose X-Forwarded-For is believed."""

    def __init__(self, proxies: Sequence[IPv4Network | IPv6Network]) -> None:
        self._proxies = proxies

    def of(self, request: Request) -> IPv4Address | IPv6Address:
        """Return the client's address: the last in the chain of forwards that is no proxy of ours."""
        address = _read(request.client.host if request.client else "")
        forwarded = ",".join(request.headers.getlist(_HEADER)).split(",")
        for hop in reversed(forwarded[-_MOST_HOPS:]):
            if not self._is_proxy(address) or not hop.strip():
                break
            address = _read(hop.strip())
        return address

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)


def network_of(address: IPv4Address | IPv6Address) -> str:
    """Return the network that an address is in: /24 of IPv4, /56 of IPv6."""
    return str(ip_network((address, _NETWORK_BITS[address.version]), strict=False))


def _read(text: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(text)
    except ValueError:
        return _NOBODY
    # An IPv4 client on a socket that takes both.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
