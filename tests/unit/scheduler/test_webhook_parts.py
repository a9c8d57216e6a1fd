"""Webhooks' pure parts: signatures, where one may lead, when it is tried again."""

import os
from base64 import b64decode
from ipaddress import ip_address
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigurationError, InvalidInput
from scheduler.webhooks import backoff, destination, signing
from scheduler.webhooks.destination import Address, Forbidden
from scheduler.webhooks.signing import SecretName, WebhookKeys
from tests.unit.docs.reading import blocks, page


def test_a_signature_is_the_one_of_the_standards_own_example() -> None:
    secret = b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signing.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}', [secret])
    assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_is_its_own_and_needs_the_key_that_it_was_made_from() -> None:
    webhook, other = UUID(int=1), UUID(int=2)
    keys = WebhookKeys({1: os.urandom(32), 2: os.urandom(32)}, 2)
    names = [SecretName(one, version, number) for one in (webhook, other) for version in (1, 2) for number in (1, 2)]
    assert len({keys.secret(name) for name in names}) == len(names)
    with pytest.raises(ConfigurationError):
        WebhookKeys({2: os.urandom(32)}, 2).secret(names[0])
    for wrong, primary in (({1: b"short"}, 1), ({1: bytes(32)}, 2)):
        with pytest.raises(ConfigurationError):
            WebhookKeys(wrong, primary)


def test_the_how_tos_receiver_takes_what_we_sign_and_nothing_else() -> None:
    given: dict[str, object] = {}
    exec(blocks(page("how-to/receive-webhooks.md"), "python")[0], given)  # noqa: S102 - our own page
    verify = given["verify"]
    assert callable(verify)
    old, new, body, now = os.urandom(32), os.urandom(32), b'{"type":"run.finished"}', 1_800_000_000
    headers = signing.headers("ntc_1", now, body, [new, old])
    for secret in (old, new):
        assert verify(signing.shown(secret), headers, body, now)
    assert not verify(signing.shown(os.urandom(32)), headers, body, now)
    assert not verify(signing.shown(new), headers, body + b" ", now)
    assert not verify(signing.shown(new), headers, body, now + 600)
    assert not verify(signing.shown(new), headers | {"webhook-id": "ntc_2"}, body, now)


@pytest.mark.parametrize(
    ("url", "authority", "target"),
    [
        ("https://hooks.example.jp", "hooks.example.jp", "/"),
        ("https://hooks.example.jp:8443/a/b?c=d", "hooks.example.jp:8443", "/a/b?c=d"),
        ("https://[2606:4700::1]/x", "[2606:4700::1]", "/x"),
    ],
)
def test_a_url_is_taken_apart(url: str, authority: str, target: str) -> None:
    made = destination.parse(url)
    assert (made.authority, made.target, made.tls) == (authority, target, True)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.jp/",
        "http://example.jp/",
        "https://",
        "https://user:pass@example.jp/",
        "https://example.jp/#part",
        "https://example.jp:99999/",
        "https://例え.jp/",
        "https://example.jp/a b",
        "https://example.jp/\r\nX-Evil: 1",
        "https://10.0.0.1/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://example.jp/" + "a" * 2_000,
    ],
)
def test_a_url_that_no_webhook_may_lead_to_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        destination.parse(url)
    assert [fault.pointer for fault in refused.value.faults] == ["/url"]


def test_plain_http_is_for_loopback_and_where_it_is_allowed() -> None:
    assert destination.parse("http://127.0.0.1:8000/", loopback=True).port == 8000
    for url in ("http://127.0.0.1:8000/", "http://10.0.0.1/"):
        with pytest.raises(InvalidInput):
            destination.parse(url, loopback=url.startswith("http://10."))


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1"),  # noqa: S104
        *("224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:192.168.1.1", "2002:0a00:0001::1", "64:ff9b::a00:1", "2001:0:0:0:0:0:f5ff:fffe"),
    ],
)
async def test_a_name_with_one_address_that_is_not_public_is_refused_whole(address: str) -> None:
    async def resolve(_: str, __: int) -> list[Address]:
        return [ip_address("93.184.215.14"), ip_address(address)]

    with pytest.raises(Forbidden):
        await destination.addresses(destination.parse("https://hooks.example.jp/"), resolve)


async def test_a_name_with_public_addresses_leads_to_them() -> None:
    async def resolve(_: str, __: int) -> list[Address]:
        return [ip_address("93.184.215.14"), ip_address("2606:4700::1")]

    found = await destination.addresses(destination.parse("https://hooks.example.jp/"), resolve)
    assert found == await resolve("", 0)


@given(st.floats(0, 1, exclude_max=True))
def test_posts_come_less_and_less_often_and_end_after_three_days(jitter: float) -> None:
    delays = [backoff.delay_after(count, jitter=jitter) for count in range(1, backoff.MOST_ATTEMPTS)]
    made = [delay for delay in delays if delay is not None]
    assert len(made) == len(delays)
    assert all(first < second for first, second in pairwise(made))
    assert 3 * 86_400 < sum(made) < 4 * 86_400
    assert backoff.delay_after(backoff.MOST_ATTEMPTS, jitter=jitter) is None
