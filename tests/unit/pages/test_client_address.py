from ipaddress import ip_address, ip_network

import pytest
from starlette.requests import Request

from api.pages.client_address import ClientAddresses, network_of

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]


def request(peer: str, *forwarded: str) -> Request:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return Request({"type": "http", "client": (peer, 1), "headers": headers})


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.7", (), "192.0.2.7"),
        # Somebody who is no proxy says what they like.
        ("192.0.2.7", ("203.0.113.9",), "192.0.2.7"),
        ("10.0.0.1", ("203.0.113.9",), "203.0.113.9"),
        # What stands before the nearest proxy's word, the client may have begun itself.
        ("10.0.0.1", ("198.51.100.1, 203.0.113.9",), "203.0.113.9"),
        ("10.0.0.1", ("198.51.100.1", "203.0.113.9, 10.2.2.2"), "203.0.113.9"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("2001:db8:1::5", ("2001:db8:2::9",), "2001:db8:2::9"),
        ("::ffff:192.0.2.7", (), "192.0.2.7"),
        ("10.0.0.1", ("nonsense",), "::"),
        ("", (), "::"),
    ],
)
def test_only_a_named_proxy_is_believed(peer: str, forwarded: tuple[str, ...], found: str) -> None:
    assert ClientAddresses(PROXIES).of(request(peer, *forwarded)) == ip_address(found)


def test_a_network_is_what_one_subscriber_has() -> None:
    assert network_of(ip_address("192.0.2.7")) == "192.0.2.0/24"
    assert network_of(ip_address("2001:db8:2:3ff::9")) == "2001:db8:2:300::/56"
