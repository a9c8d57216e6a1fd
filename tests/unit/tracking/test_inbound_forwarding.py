"""What a mail looks like that is sent on, and which are not."""

from datetime import UTC, datetime

import pytest

from core.clock import FixedClock
from core.errors import InvalidInput
from delivery.envelope import Envelope
from tracking.inbound.forwarding import MOST_HOPS, Forwarding, onward
from tracking.inbound.rates import Rates, network_of
from tracking.inbound.records import digest_of

TRACE = {"came_to": "r+1@bounces.example.jp", "name": "in.example.jp", "date": "Thu, 26 Nov 2026 09:00:00 +0900"}
LETTER = b"From: taro@example.com\r\nSubject: Hi\r\n\r\nHello\r\n"


def test_a_mail_goes_on_as_it_is_behind_its_trace() -> None:
    assert onward(LETTER, **TRACE) == (
        b"Delivered-To: r+1@bounces.example.jp\r\n"
        b"Received: by in.example.jp with ESMTP;\r\n Thu, 26 Nov 2026 09:00:00 +0900\r\n" + LETTER
    )


@pytest.mark.parametrize("bare", [b"\n", b"\r"])
def test_bare_line_ends_smuggle_nothing_to_the_next_server(bare: bytes) -> None:
    raw = LETTER + b"x" + bare + b"." + bare + b"MAIL FROM:<x@example.com>"
    sent = onward(raw, **TRACE)
    assert sent.replace(b"\r\n", b"").count(b"\n") == sent.replace(b"\r\n", b"").count(b"\r") == 0
    assert sent.endswith(b"\r\n")


def test_what_has_been_here_or_anywhere_too_often_is_refused() -> None:
    once = onward(LETTER, **TRACE)
    with pytest.raises(InvalidInput):
        onward(once, **TRACE)
    assert onward(once, **{**TRACE, "came_to": "r+2@bounces.example.jp"})
    with pytest.raises(InvalidInput):
        onward(b"Received: by a; today\r\n" * MOST_HOPS + LETTER, **TRACE)
    assert onward(LETTER + b"Received: quoted\r\n" * MOST_HOPS, **TRACE)


class Sent:
    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def send(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)


@pytest.mark.parametrize(
    ("to", "sender", "returns"),
    [
        ("shop@example.jp", "taro@example.com", "postmaster@bounces.example.jp"),
        ("shop@example.jp", "", ""),
        ("operator@bounces.example.jp", "taro@example.com", ""),
    ],
)
async def test_what_cannot_be_delivered_comes_back_once_and_never_again(to: str, sender: str, returns: str) -> None:
    sent = Sent()
    clock = FixedClock(datetime(2026, 11, 26, tzinfo=UTC))
    forwarding = Forwarding(sent, clock, domain="bounces.example.jp", name="in.example.jp")
    await forwarding.forward(LETTER, to, came_to="r+1@bounces.example.jp", sender=sender)
    [envelope] = sent.envelopes
    assert (envelope.recipient, envelope.return_path) == (to, returns)


def test_a_mail_is_the_same_whichever_way_it_came() -> None:
    way = b"Return-Path: <>\nReceived: from a\n\tby b; today\nX-Original-To: x@example.jp\n"
    assert digest_of(LETTER) == digest_of(way + LETTER.replace(b"\r\n", b"\n") + b"\n")
    assert digest_of(LETTER) != digest_of(LETTER.replace(b"Hello", b"Received: x"))


def test_a_network_has_its_burst_and_then_its_rate() -> None:
    rates = Rates(a_second=2, burst=3)
    assert [rates.allow("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert rates.allow("b", 0.0)
    assert [rates.allow("a", 1.0) for _ in range(3)] == [True, True, False]
    assert [rates.allow("a", 1_000.0) for _ in range(4)] == [True, True, True, False]


def test_an_ipv6_network_counts_as_one() -> None:
    assert network_of("2001:db8:1:2::1") == network_of("2001:db8:1:2:ffff::9") != network_of("2001:db8:1:3::1")
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") != network_of("192.0.2.2")
