"""Links that end with something of their reader: tracked, and nothing of the reader to be seen in them."""

import re
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.tokens import SLOT_LINK
from delivery.compose.check import check
from delivery.compose.compiled import CompiledContent, Recipient
from delivery.compose.errors import RenderFailed
from delivery.compose.personal import MARK, MAX_PERSONAL
from members.member import Tracking
from tests.support.mails import DATE, RUN, SIGNER, TRACKER, compiled, content, part

CODE = "https://shop.example.jp/c?code={{ code }}&lang=ja"
KEPT = "https://shop.example.jp/c?code={+personal}"


def made(href: str = CODE, **changes: Any) -> CompiledContent:
    return compiled(**{"html": f'<p><a href="{href}">a</a></p>', "attributes": ("code", "vip")} | changes)


def html_of(made: CompiledContent, code: object = "7F-é&2", tracking: Tracking = "full") -> str:
    envelope = made.compose(Recipient(7, UUID(int=7), "taro@example.jp", {"code": code}, tracking), date=DATE)
    return part(envelope, "html")


def opened(html: str) -> list[tuple[int, str]]:
    """The slot and the sealed part of each tracked link."""
    found = [SIGNER.open_link(text) for text in re.findall(rf'href="{TRACKER}/c/([^"]*)"', html)]
    assert {(content.run_id, content.seq) for content, _ in found} <= {(RUN, 7)}
    return [(content.slot, personal) for content, personal in found]


def test_the_end_that_is_computed_is_sealed_behind_the_token() -> None:
    mails = made()
    html = html_of(mails)
    assert mails.links == (KEPT,)
    assert opened(html) == [(SLOT_LINK, "7F-é&2&lang=ja")]
    assert "7F" not in html
    assert "lang=ja" not in html
    assert html_of(made(direct=False)) == html == html_of(made())


@settings(max_examples=80, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters=MARK), max_size=200))
def test_whatever_the_value_the_sealed_end_is_what_the_mail_would_have_said(value: str) -> None:
    mails = made()
    (straight,) = re.findall(r'href="([^"]*)"[^>]*>a</a>', html_of(mails, value, "none"))
    ((_, personal),) = opened(html_of(mails, value))
    assert "https://shop.example.jp/c?code=" + personal == unescape(straight).rstrip()


def test_links_with_the_same_beginning_have_one_number_and_others_their_own() -> None:
    page = f'<a href="{CODE}">a</a><a href="https://b.example/">b</a><a href="{CODE}&n=2">c</a>'
    mails = made(html=page)
    assert mails.links == (KEPT, "https://b.example/")
    assert opened(html_of(mails, "x")) == [(SLOT_LINK, "x&lang=ja"), (SLOT_LINK + 1, ""), (SLOT_LINK, "x&lang=ja&n=2")]


def test_a_link_may_depend_on_conditions_and_a_member_may_have_no_value() -> None:
    mails = made("https://shop.example.jp/{% if code %}for/{{ code }}{% else %}all{% endif %}")
    assert opened(html_of(mails, "9")) == [(SLOT_LINK, "for/9")]
    assert opened(html_of(mails, None)) == [(SLOT_LINK, "all")]
    assert opened(html_of(made("https://shop.example.jp/?c={{ code }}"), None)) == [(SLOT_LINK, "")]


@pytest.mark.parametrize(
    "href",
    ["https://{{ code }}.example.jp/", "https://shop.example.jp{{ code }}", "{{ code }}", "mailto:{{ code }}@x.jp"],
)
def test_a_link_whose_host_is_computed_stays_as_it_is(href: str) -> None:
    mails = made(href)
    assert mails.links == ()
    assert TRACKER + "/c/" not in html_of(mails, "https://x.example.jp/")


@pytest.mark.parametrize("tracking", ["aggregate", "none"])
def test_whoever_allows_no_more_than_sums_is_led_straight_to_the_target(tracking: Tracking) -> None:
    mails = made(html=f'<a href="{CODE}">a</a> <a href="https://b.example/">b</a>')
    html = html_of(mails, "9", tracking)
    assert 'href="https://shop.example.jp/c?code=9&lang=ja"' in html
    tokens = re.findall(rf"{TRACKER}/c/([\w-]+)", html)
    expected = [(0, SLOT_LINK + 1)] if tracking == "aggregate" else []
    assert [(one.seq, one.slot) for one in map(SIGNER.open, tokens)] == expected


def test_a_preview_shows_the_link_and_not_how_it_is_sealed() -> None:
    checked = check(content(html=f'<p><a href="{CODE}">a</a></p>', attributes=("code",)), samples=[{"code": "9"}])
    assert checked.links == (KEPT,)
    assert 'href="https://shop.example.jp/c?code=9&lang=ja"' in (checked.previews[0].html or "")
    assert MARK not in (checked.previews[0].html or "")


@pytest.mark.parametrize("value", ["x" * (MAX_PERSONAL + 1), MARK, MARK * 2, f"{MARK}/c/{'A' * 48}{MARK}"])
def test_what_can_not_be_sealed_fails_its_own_mail_alone(value: str) -> None:
    mails = made()
    with pytest.raises(RenderFailed) as failed:
        html_of(mails, value)
    assert value not in str(failed.value)
    assert opened(html_of(mails, "9")) == [(SLOT_LINK, "9&lang=ja")]
