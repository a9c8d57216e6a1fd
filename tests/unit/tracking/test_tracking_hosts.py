import pytest

from tracking.endpoint.hosts import KnownHosts
from tracking.endpoint.request import Request


def asked(host: str) -> Request:
    return Request("GET", "/o/x", [(b"accept", b"*/*"), (b"host", host.encode())] if host else [])


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("click.example.jp", True),
        ("CLICK.example.jp:443", True),
        ("127.0.0.1:8081", True),
        ("[::1]:8081", True),
        ("[::1]", True),
        ("localhost", True),
        ("click.example.jp.evil.example", False),
        ("evil.example", False),
        ("", False),
    ],
)
def test_a_tracker_knows_its_own_names_alone(host: str, *, known: bool) -> None:
    assert KnownHosts(["Click.example.jp"]).include(asked(host)) is known
    assert KnownHosts([]).include(asked(host))
