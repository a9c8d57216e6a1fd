"""Header fields, as the standard library reads them and as RFC 5322 and 2047 bound them."""

import re
from base64 import b64decode
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConfigurationError
from core.tokens import SLOT_COMPLAINT, SLOT_REPLY, SLOT_RETURN_PATH
from delivery.compose.compiled import Recipient
from delivery.compose.errors import RenderFailed
from delivery.compose.headers import encoded_words, unstructured
from tests.support.mails import DATE, MEMBER, RUN, SIGNER, compiled, compose, read

DIFFICULT = "髙島屋 ① ㈱ 😀 ﾊﾝｶｸ ～ ゔ"  # noqa: RUF001 - what CP932 users write


def _head(message: bytes) -> bytes:
    return message.partition(b"\r\n\r\n")[0]


def _field(message: bytes, name: str) -> bytes:
    found = re.search(rb"(?im)^" + name.encode() + rb": ((?:.*\r\n)(?:[ \t].*\r\n)*)", message)
    assert found
    return found[1].removesuffix(b"\r\n")


def _decoded(raw: str) -> str:
    return str(make_header(decode_header(raw)))


def _assert_well_formed(message: bytes) -> None:
    assert message.replace(b"\r\n", b"").count(b"\r") == message.replace(b"\r\n", b"").count(b"\n") == 0
    assert message.endswith(b"\r\n")
    assert max(map(len, message.split(b"\r\n"))) <= 998
    for word in re.findall(rb"=\?[^?]*\?[bq]\?[^?]*\?=", _head(message)):
        assert len(word) <= 75
    for line in _head(message).split(b"\r\n"):
        unbreakable = b" " not in re.sub(rb"^[\w-]+: ", b"", line).strip()
        assert len(line) <= (76 if b"=?" in line else 78) or unbreakable


@pytest.mark.parametrize(
    "subject",
    [
        "Hello",
        "お知らせ",
        DIFFICULT,
        DIFFICULT * 12,
        "long english words " * 12 + "end",
        "a" * 300,
        "two  spaces  " * 10 + "end",
        "=?utf-8?b?looks encoded?=",
        "全角　空白",
        "mixed お知らせ and english " * 6 + "x",
    ],
)
def test_a_subject_reads_as_it_was_written(subject: str) -> None:
    envelope = compose(subject=subject)
    assert read(envelope)["Subject"] == subject
    _assert_well_formed(envelope.message)


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=120))
def test_encoded_words_never_split_a_character_and_read_back(text: str) -> None:
    value = encoded_words(text, taken=9)
    for word in value.split(b"\r\n "):
        assert len(word) <= 75
    assert b"".join(value.split(b"\r\n ")).isascii()
    lines = (b"Subject: " + value).split(b"\r\n")
    assert max(map(len, lines)) <= 76
    words = [b64decode(word[10:-2]).decode() for word in value.split(b"\r\n ")]
    assert "".join(words) == text


def test_a_plain_subject_stays_plain() -> None:
    assert _field(compose(subject="Winter sale").message, "Subject") == b"Winter sale"
    assert unstructured("word " * 30 + "end", name="Subject").replace(b"\r\n", b"") == b"word " * 30 + b"end"


@pytest.mark.parametrize("name", ["Taro", "山田 太郎", DIFFICULT, DIFFICULT * 3, 'Dr. "T" \\ Yamada', "O'Neil, Pat"])
def test_names_read_as_they_were_written(name: str) -> None:
    envelope = compose(values={"name": name}, sender_name=name)
    message = read(envelope)
    for field in ("To", "From"):
        # policy.default of Python 3.11 keeps the white space between encoded words of a name; RFC 2047 drops it.
        raw = _field(envelope.message, field).decode()
        shown = message[field].addresses[0].display_name if name.isascii() else _decoded(raw.rpartition(" <")[0])
        assert shown == name
    assert message["To"].addresses[0].addr_spec == "taro@example.jp"
    assert message["From"].addresses[0].addr_spec == "news@example.jp"
    _assert_well_formed(envelope.message)


def test_a_recipient_without_a_name_is_a_bare_address() -> None:
    assert _field(compose().message, "To") == b"taro@example.jp"


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: x@evil.example", "a\nBcc: x@evil.example", "a\rBcc: b", "a\0b", "a\u2028b\x85c"]
)
def test_a_name_can_not_add_a_header_field(name: str) -> None:
    envelope = compose(values={"name": name}, subject="{{ name }}様")
    message = read(envelope)
    assert message["Bcc"] is None
    assert len(message.get_all("To") or []) == 1
    assert not set("\r\n\0\u2028\x85") & set(message["Subject"] + message["To"].addresses[0].display_name)
    _assert_well_formed(envelope.message)


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("taro.@docomo.ne.jp", '"taro."@docomo.ne.jp'),
        ("ta..ro@ezweb.ne.jp", '"ta..ro"@ezweb.ne.jp'),
        ("taro.yamada+x@example.jp", "taro.yamada+x@example.jp"),
        ('"a b"@example.jp', '"a b"@example.jp'),
        ("taro@日本語.jp", "taro@xn--wgv71a119e.jp"),
    ],
)
def test_local_parts_are_quoted_only_if_they_need_it(address: str, written: str) -> None:
    envelope = compose(address)
    assert envelope.recipient == written
    assert _field(envelope.message, "To") == written.encode()
    assert not envelope.smtputf8


def test_only_a_local_part_beyond_ascii_asks_for_smtputf8() -> None:
    envelope = compose("太郎@example.jp")
    assert envelope.smtputf8
    assert "太郎@example.jp".encode() in _head(envelope.message)


@pytest.mark.parametrize(
    "address", ["", "taro", "@example.jp", "taro@", "a\r\nb@example.jp", "a@b c", "x" * 65 + "@a.jp", "a@>b"]
)
def test_an_impossible_address_fails_that_message_without_being_named(address: str) -> None:
    with pytest.raises(RenderFailed) as failed:
        compose(address)
    assert not address or address not in str(failed.value)


def test_a_long_token_in_list_unsubscribe_stays_raw() -> None:
    tracker = "https://t.example.jp/" + "x" * 180
    envelope = compose(tracker=tracker)
    token = SIGNER.mint(RUN, 7, [1])[0]
    mailbox = SIGNER.mint_for_address(RUN, 7, SLOT_RETURN_PATH)
    expected = f"<{tracker}/u/{token}>,\r\n <mailto:u+{mailbox}@bounce.example.jp>"
    assert _field(envelope.message, "List-Unsubscribe") == expected.encode()
    assert _field(envelope.message, "List-Unsubscribe-Post") == b"List-Unsubscribe=One-Click"
    _assert_well_formed(envelope.message)


def test_the_fields_of_a_bulk_mail_are_there_once_each() -> None:
    message = read(compose())
    assert message["List-Id"] == "<news.example.jp>"
    assert message["Feedback-ID"] == "run1:default:campaign:todoku"
    assert message["Precedence"] == "bulk"
    assert message["MIME-Version"] == "1.0"
    assert message["Reply-To"].addresses[0].addr_spec == "help@example.jp"
    assert parsedate_to_datetime(message["Date"]) == DATE
    assert len(set(message.keys())) == len(message.keys())


def test_the_return_path_names_the_delivery() -> None:
    envelope = compose()
    local, _, domain = envelope.return_path.partition("@")
    assert domain == "bounce.example.jp"
    assert len(local) <= 64
    opened = SIGNER.open_from_address(local.removeprefix("b+"), SLOT_RETURN_PATH)
    assert (opened.run_id, opened.seq) == (RUN, 7)


def test_complaints_have_an_address_that_names_the_delivery() -> None:
    local = SIGNER.mint_for_address(RUN, 7, SLOT_COMPLAINT)
    assert read(compose())["CFBL-Address"] == f"c+{local}@bounce.example.jp; report=arf"


def test_replies_go_to_the_sender_or_where_it_is_asked_for_through_us() -> None:
    local = SIGNER.mint_for_address(RUN, 7, SLOT_REPLY)
    assert _field(compose().message, "Reply-To") == b"help@example.jp"
    assert _field(compose(forward_replies=True).message, "Reply-To") == f"r+{local}@bounce.example.jp".encode()


def test_a_message_id_is_the_same_on_every_attempt_and_another_for_every_recipient() -> None:
    content = compiled()
    first, again, other = (
        read(content.compose(Recipient(seq, MEMBER, "a@example.jp", {}), date=DATE))["Message-ID"] for seq in (1, 1, 2)
    )
    assert first == again != other
    assert re.fullmatch(r"<[0-9a-f]+@example\.jp>", first)


def test_a_setting_that_no_header_can_hold_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        compiled(tracker="https://t.example.jp\r\nBcc: x")
