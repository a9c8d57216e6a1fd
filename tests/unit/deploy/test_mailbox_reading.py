"""What a person sees of a message, however it was made."""

from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.mailbox.listing import list_mails
from deploy.mailbox.reading import read_mail, subject_of
from deploy.mailbox.record import Entry

AT = datetime(2026, 4, 1, tzinfo=UTC)


def japanese() -> bytes:
    mail = EmailMessage()
    mail["From"] = "届ける会社 <news@example.test>"
    mail["Subject"] = "春のお知らせ、とても長い件名が折り返されても元のまま読めることを確かめるための一通です"
    mail.set_content("こんにちは\n")
    mail.add_alternative("<p>こんにちは</p>", subtype="html")
    mail.add_attachment("見積".encode(), maintype="application", subtype="pdf", filename="見積書.pdf")
    return mail.as_bytes()


def test_a_japanese_mail_shows_its_headers_parts_and_attachments() -> None:
    mail = read_mail(japanese())
    assert mail.header("subject").startswith("春のお知らせ、とても長い件名が折り返されても")
    assert "届ける会社" in mail.header("From")
    assert mail.text == "こんにちは\n"
    assert mail.html == "<p>こんにちは</p>\n"
    assert [(one.number, one.name, one.content) for one in mail.attachments] == [(0, "見積書.pdf", "見積".encode())]


def test_the_list_reads_the_same_subject_from_the_beginning_alone() -> None:
    assert subject_of(japanese()[:1000]) == read_mail(japanese()).header("Subject")


@pytest.mark.parametrize(
    ("message", "subject"),
    [
        (b"Subject: plain\r\n\r\nbody", "plain"),
        (b"subject:folded\r\n here\r\nTo: x\r\n\r\n", "folded here"),
        (b"To: x\r\n\r\nSubject: in the body", ""),
        ("Subject: 生の件名\r\n\r\n".encode(), "生の件名"),
        (b"Subject: =?iso-2022-jp?B?GyRCRk8bKEI=?= mail\r\n\r\n", "届 mail"),
        (b"Subject: =?no-such-charset?B?YQ==?=\r\n\r\n", "a"),
        (b"Subject: =?utf-8?B?a?=\r\n\r\n", "=?utf-8?B?a?="),
        (b"Subject: \xff\xfe\r\n\r\n", "\ufffd\ufffd"),
        (b"", ""),
    ],
)
def test_a_subject_is_read_as_well_as_can_be(message: bytes, subject: str) -> None:
    assert subject_of(message) == subject


@given(st.binary(max_size=300))
def test_no_bytes_break_the_page(message: bytes) -> None:
    assert isinstance(subject_of(message), str)
    assert read_mail(message) is not None


@pytest.mark.parametrize("depth", [50, 5000])
def test_absurd_nesting_still_shows_the_headers(depth: int) -> None:
    head = b"Subject: deep\r\n"
    for level in range(depth):
        head += b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (level, level)
    assert read_mail(head).header("Subject") == "deep"


@pytest.mark.parametrize(
    "part",
    [
        b"Content-Type: text/plain; charset=no-such\r\n\r\nhi",
        b"Content-Type: text/plain; charset=idna\r\n\r\nhi",
        b"Content-Type: text/plain; charset=base64\r\n\r\nhi",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGk=",
        b"Content-Type: text/plain\r\nContent-Transfer-Encoding: nonsense\r\n\r\nhi",
        b'Content-Type: text/plain; charset="utf\x008"\r\n\r\nhi',
    ],
)
def test_an_unknown_charset_or_encoding_still_shows_the_text(part: bytes) -> None:
    assert read_mail(part).text == "hi"


def mails(count: int) -> list[tuple[Entry, bytes]]:
    return [
        (Entry(number, AT, "a@x.test", (f"Member-{number}@x.test",), "::1", 1), b"Subject: No. %d\r\n\r\n" % number)
        for number in range(count, 0, -1)
    ]


def test_a_page_of_the_list_says_where_the_next_begins() -> None:
    page = list_mails(mails(5), query="", limit=3)
    assert [row.entry.id for row in page.rows] == [5, 4, 3]
    assert page.older == 3
    last = list_mails(mails(2), query="", limit=3)
    assert ([row.subject for row in last.rows], last.older) == (["No. 2", "No. 1"], None)


def test_a_search_looks_at_recipients_and_subjects_in_any_case() -> None:
    assert [row.entry.id for row in list_mails(mails(30), query="MEMBER-7@", limit=9).rows] == [7]
    assert [row.entry.id for row in list_mails(mails(30), query="no. 12", limit=9).rows] == [12]


def test_a_search_that_reaches_its_bound_says_where_to_go_on() -> None:
    page = list_mails(mails(30), query="member-1@", limit=9, searched=10)
    assert (page.rows, page.older, page.cut_short) == ((), 21, True)
