"""What a mail can tell of its reader: as much as account and member both allow."""

import re
from typing import Any
from uuid import UUID

import pytest

from core.tokens import SLOT_HONEYPOT, SLOT_LINK, SLOT_OPEN
from delivery.compose.compiled import CompiledContent, Recipient
from members.member import Tracking
from tests.support.mails import DATE, RUN, SIGNER, TRACKER, compiled, part

HTML = '<p><a href="https://shop.example.jp/a">a</a> <a href="https://shop.example.jp/b">b</a></p>'
TEXT = "https://shop.example.jp/a"
ORDER: tuple[Tracking, ...] = ("full", "aggregate", "none")


def content(**changes: Any) -> CompiledContent:
    return compiled(**{"html": HTML, "text": TEXT, "honeypot": True} | changes)


def mail(made: CompiledContent, seq: int = 7, tracking: Tracking = "full") -> tuple[str, str]:
    envelope = made.compose(Recipient(seq, UUID(int=seq), "taro@example.jp", {}, tracking), date=DATE)
    return part(envelope, "html"), part(envelope, "plain")


def tracked(*texts: str) -> list[tuple[int, int]]:
    """The recipient and slot of each token under /o/ and /c/, in order."""
    tokens = [SIGNER.open(token) for text in texts for token in re.findall(r"/[oc]/([\w-]{48})", text)]
    assert {token.run_id for token in tokens} <= {RUN}
    return [(token.seq, token.slot) for token in tokens]


SLOTS = [SLOT_LINK, SLOT_LINK + 1, SLOT_OPEN, SLOT_HONEYPOT, SLOT_LINK]


def test_with_full_tracking_each_token_names_its_delivery() -> None:
    assert tracked(*mail(content())) == [(7, slot) for slot in SLOTS]


@pytest.mark.parametrize("account", ORDER)
@pytest.mark.parametrize("member", ORDER)
def test_the_stricter_of_account_and_member_decides(account: Tracking, member: Tracking) -> None:
    made = content(tracking=account)
    found = tracked(*mail(made, tracking=member))
    strictest = max(account, member, key=ORDER.index)
    assert (
        found
        == {"full": [(7, slot) for slot in SLOTS], "aggregate": [(0, slot) for slot in SLOTS], "none": []}[strictest]
    )


def test_mails_to_different_readers_who_allow_sums_alone_differ_in_the_ways_to_leave_only() -> None:
    made = content()
    own = re.compile(r"/[up]/[\w-]{48}")
    first, second = mail(made, 7, "aggregate"), mail(made, 8, "aggregate")
    assert first != second
    assert [own.sub("", text) for text in first] == [own.sub("", text) for text in second]
    assert mail(made, 7) == mail(content(), 7)


def test_without_tracking_links_lead_straight_to_their_targets_and_the_ways_to_leave_stay() -> None:
    made = content()
    html, text = mail(made, tracking="none")
    assert 'href="https://shop.example.jp/a"' in html
    assert "https://shop.example.jp/a" in text
    assert "<img" not in html
    for shown in (html, text):
        assert f"{TRACKER}/u/{SIGNER.mint(RUN, 7, [1])[0]}" in shown
    assert mail(made, tracking="none") == mail(content(tracking="none"))


def test_the_hidden_link_is_neither_seen_nor_read_out_and_in_no_text() -> None:
    html, text = mail(content())
    token = SIGNER.mint(RUN, 7, [SLOT_HONEYPOT])[0]
    (anchor,) = re.findall(rf'<a href="{TRACKER}/c/{token}"[^>]*></a>', html)
    for word in ("display:none", 'aria-hidden="true"', 'tabindex="-1"'):
        assert word in anchor
    assert token not in text
    assert token not in "".join(mail(content(honeypot=False)))


def test_an_accounts_own_address_stands_in_every_link() -> None:
    html, text = mail(content(tracker_url="https://click.shop.example.jp"))
    for shown in (html, text):
        assert "https://click.shop.example.jp/c/" in shown
        assert TRACKER not in shown
