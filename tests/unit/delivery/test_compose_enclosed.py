"""Attachments and images of the text: how they travel, and what a template may say of them."""

from collections.abc import Mapping
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest

from core.errors import ConfigurationError, InvalidInput
from delivery.attachments import checked_type
from delivery.compose.bounds import MAX_ATTACHED
from delivery.compose.check import check
from delivery.compose.content import Attachment, Content
from delivery.compose.errors import InvalidTemplate
from delivery.envelope import Envelope
from tests.support.dkim_oracle import verdicts
from tests.support.mails import compose, content, dkim_keys, read

LOGO, PRICES, PHOTO = (UUID(int=n) for n in (1, 2, 3))
FILES: Mapping[UUID, bytes] = {
    LOGO: bytes(range(256)) * 9,
    PRICES: b"%PDF-1.7 \r\n.\r\n..\r\n",
    PHOTO: b"\xff\xd8" + b"x" * 999,
}
ALL = {
    LOGO: Attachment(LOGO, "logo.png", "image/png", len(FILES[LOGO])),
    PRICES: Attachment(PRICES, "価格表 2026.pdf", "application/pdf", len(FILES[PRICES])),
    PHOTO: Attachment(PHOTO, "写真.jpg", "image/jpeg", len(FILES[PHOTO])),
}
SHOWING = '<body><img src="cid:logo.png" alt=""><p style="background:url(cid:写真.jpg)">{{ name }}</p></body>'


def mail(*enclosed: UUID, **changes: Any) -> Envelope:
    return compose(files=FILES, attachments=tuple(ALL[one] for one in enclosed), values={"name": "髙"}, **changes)


def shape(message: EmailMessage) -> object:
    if not message.is_multipart():
        return message.get_content_type()
    return message.get_content_subtype(), [shape(part) for part in message.iter_parts()]  # type: ignore[arg-type]


TEXTS = ("alternative", ["text/plain", "text/html"])


@pytest.mark.parametrize(
    ("enclosed", "changes", "expected"),
    [
        ((), {}, TEXTS),
        ((PRICES,), {}, ("mixed", [TEXTS, "application/pdf"])),
        ((LOGO, PHOTO), {"html": SHOWING}, ("related", [TEXTS, "image/png", "image/jpeg"])),
        (
            (PRICES, LOGO, PHOTO),
            {"html": SHOWING},
            ("mixed", [("related", [TEXTS, "image/png", "image/jpeg"]), "application/pdf"]),
        ),
        ((PRICES,), {"html": ""}, ("mixed", ["text/plain", "application/pdf"])),
        # Named by nothing in the text, a picture is an attachment as any other.
        ((LOGO,), {}, ("mixed", [TEXTS, "image/png"])),
    ],
)
def test_files_stand_where_mail_programs_look_for_them(
    enclosed: tuple[UUID, ...], changes: dict[str, Any], expected: object
) -> None:
    message = read(mail(*enclosed, **changes))
    assert shape(message) == expected
    assert not [defect for part in message.walk() for defect in part.defects]


def test_each_file_arrives_as_it_was_under_its_name() -> None:
    message = read(mail(PRICES, LOGO, PHOTO, html=SHOWING))
    came = {part.get_filename(): part.get_payload(decode=True) for part in message.walk() if part.get_filename()}
    assert came == {one.name: FILES[one.attachment_id] for one in ALL.values()}
    kinds = {part.get_filename(): part.get_content_disposition() for part in message.walk() if part.get_filename()}
    assert kinds == {"価格表 2026.pdf": "attachment", "logo.png": "inline", "写真.jpg": "inline"}


def test_the_text_shows_a_picture_by_the_content_id_of_its_part() -> None:
    message = read(mail(LOGO, PHOTO, html=SHOWING))
    ids = {part.get_filename(): part["Content-ID"].strip("<>") for part in message.walk() if part["Content-ID"]}
    assert len(set(ids.values())) == 2
    assert all(one.endswith("@example.jp") for one in ids.values())
    html = message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert f'src="cid:{ids["logo.png"]}"' in html
    assert f"url(cid:{ids['写真.jpg']})" in html


def test_a_mail_with_files_is_signed_whole_and_has_no_long_or_bare_line() -> None:
    envelope = mail(PRICES, LOGO, PHOTO, html=SHOWING, signed=True)
    assert verdicts(envelope.message, "example.jp", dkim_keys()) == [True, True]
    altered = envelope.message.replace(b"JVBERi0", b"JVBERi1")
    assert altered != envelope.message
    assert verdicts(altered, "example.jp", dkim_keys()) == [False, False]
    lines = envelope.message.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\r" in line or b"\n" in line for line in lines)


def test_what_is_the_same_in_all_messages_is_encoded_once() -> None:
    one, other = (
        compose(address, files=FILES, attachments=(ALL[PRICES],)).message.rpartition(b"application/pdf")[2]
        for address in ("a@example.jp", "b@example.jp")
    )
    assert one == other


def test_a_file_that_is_gone_is_said_before_anything_is_sent() -> None:
    with pytest.raises(ConfigurationError):
        compose(attachments=(ALL[LOGO],))


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"html": '<img src="cid:other.png">'}, "/html", "unknown_attachment"),
        ({"html": '<img src="cid:{{ name }}.png">'}, "/html", "unknown_attachment"),
        ({"attachments": (ALL[LOGO], ALL[LOGO])}, "/attachments/1", "twice"),
        ({"attachments": (Attachment(LOGO, "a", "image/png", MAX_ATTACHED + 1),)}, "/attachments", "too_large"),
        (
            {"attachments": tuple(Attachment(UUID(int=n), f"{n}", "image/png", 1) for n in range(11))},
            "/attachments",
            "too_many",
        ),
    ],
)
def test_what_can_not_be_sent_is_found_by_the_check(changes: dict[str, Any], pointer: str, code: str) -> None:
    with pytest.raises(InvalidTemplate) as raised:
        check(content(**changes), samples=())
    assert (pointer, code) in {(fault.pointer, fault.code) for fault in raised.value.faults}


def test_only_places_of_pictures_are_looked_at() -> None:
    html = '<a href="https://a.jp/?x=cid:logo.png">a</a><p title="cid:no">acid:rain</p>{{ unsubscribe_url }}'
    assert check(content(html=html, attachments=(ALL[LOGO],)), samples=()).links == ("https://a.jp/?x=cid:logo.png",)


def test_content_with_attachments_survives_its_json() -> None:
    made = content(attachments=tuple(ALL.values()))
    document = made.to_json()
    for one in document["attachments"]:
        one["attachment_id"] = str(one["attachment_id"])
    assert Content.from_json(document) == made
    # What was frozen before there were attachments has none.
    del document["attachments"]
    assert Content.from_json(document) == content()


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("a.png", None, "image/png"),
        ("価格.pdf", "application/pdf; name=x", "application/pdf"),
        ("noending", None, "application/octet-stream"),
        ("a.png", "IMAGE/PNG", "image/png"),
    ],
)
def test_a_file_s_type_is_what_is_said_or_what_its_name_tells(name: str, given: str | None, kind: str) -> None:
    assert checked_type(name, given) == kind


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("", None),
        ("x" * 101, None),
        ("a/b.png", None),
        ('a".png', None),
        ("a\r\nb.png", None),
        ("run.EXE", None),
        ("a.png", "multipart/mixed"),
        ("a.eml", "message/rfc822"),
        ("a.png", "image/png\r\nX: y"),
        ("a.png", "nonsense"),
    ],
)
def test_a_name_or_type_that_can_not_be_sent_is_refused(name: str, given: str | None) -> None:
    with pytest.raises(InvalidInput):
        checked_type(name, given)
