"""How often one network may come: a bucket of tokens each, in bounded memory. Pure: time comes in."""

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

REMEMBERED = 10_000
_IPV6_PREFIX = 64


class Rates:
    """`a_second` each in the long run, `burst` at once; `now` is monotonic seconds."""

    def __init__(self, *, a_second: float, burst: float) -> None:
        self._a_second = a_second
        self._burst = burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, network: str, now: float) -> bool:
        """Take one token of a network's; False if it has none left."""
        left, since = self._left.pop(network, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._a_second)
        allowed = left >= 1
        self._left[network] = (left - 1 if allowed else left, now)
        if len(self._left) > REMEMBERED:
            # Whoever was not seen for longest has had time to fill up again.
            self._left.popitem(last=False)
        return allowed


def network_of(address: str) -> str:
    """Return what is counted as one: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(int(found) >> (128 - _IPV6_PREFIX))
    return str(found)
