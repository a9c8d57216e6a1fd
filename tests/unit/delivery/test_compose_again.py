"""A mail read once more: as it looked, nothing tracked, its own links its reader's."""

import re
from typing import Any
from uuid import UUID

import pytest

from core.tokens import SLOT_PREFERENCES, SLOT_UNSUBSCRIBE, SLOT_WEB
from delivery.compose.again import Delivered, ReadAgain, read_again
from delivery.compose.content import Attachment
from tests.support.mails import RUN, SIGNER, content

PAGES = "https://my.example.jp"


def again(values: dict[str, Any] | None = None, **changes: Any) -> ReadAgain:
    return read_again(content(honeypot=True, **changes), values or {}, Delivered(RUN, 7, PAGES, SIGNER))


def document(**changes: Any) -> str:
    html = again(**changes).html
    assert html is not None
    return html


def test_links_lead_straight_and_own_links_to_the_readers_pages() -> None:
    html = document(html='<a href="https://shop.example.jp/a">a</a><a href="{{ web_url }}">web</a>', preheader="Hush")
    assert 'href="https://shop.example.jp/a"' in html
    found = re.findall(rf"{PAGES}/(\w)/([\w-]{{48}})", html)
    named = {kind: SIGNER.open(token) for kind, token in found}
    assert {kind: (one.run_id, one.seq, one.slot) for kind, one in named.items()} == {
        "u": (RUN, 7, SLOT_UNSUBSCRIBE),
        "p": (RUN, 7, SLOT_PREFERENCES),
        "w": (RUN, 7, SLOT_WEB),
    }
    assert "<img" not in html
    assert "Hush" not in html


@pytest.mark.parametrize(
    ("html", "begins"),
    [
        ("<!doctype html><html><head><meta charset='utf-8'></head><body>x", "<!doctype html><html><head><title>"),
        ("<!DOCTYPE html>\n<html lang='ja'><body>x", "<!DOCTYPE html>\r\n<html lang='ja'><title>"),
        ("<p>x</p>", "<title>"),
        ("<!-- <head> --><p>x</p>", "<!-- <head> --><title>"),
    ],
)
def test_a_document_gets_a_title_and_never_before_its_declaration(html: str, begins: str) -> None:
    made = document(html=html, subject="{{ name }}", values={"name": "</title><b>"})
    assert made.startswith(f'{begins}&lt;/title&gt;&lt;b&gt;</title><meta name="viewport"')
    assert '<base target="_blank">' in made


def test_pictures_that_came_along_are_found_beside_the_page_and_other_files_are_listed() -> None:
    files = [Attachment(UUID(int=n), name, "image/png", 9) for n, name in enumerate(("a.pdf", "b.png", "c.png"), 1)]
    made = again(
        html='<img src="cid:b.png"><p style="background:url(cid:c.png)">{{ note }}</p>',
        attachments=tuple(files),
        values={"note": "cid:b.png"},
    )
    web = SIGNER.mint(RUN, 7, [SLOT_WEB])[0]
    assert made.html is not None
    assert f'<img src="/w/{web}/files/1">' in made.html
    assert f"url(/w/{web}/files/2)" in made.html
    assert ">cid:b.png<" in made.html
    assert made.files == [(0, files[0])]


def test_a_plain_text_mail_has_no_document() -> None:
    made = again(html="", text="Hello\nhttps://shop.example.jp/a", track_clicks=True)
    assert made.html is None
    assert made.text.startswith("Hello\nhttps://shop.example.jp/a\n")
