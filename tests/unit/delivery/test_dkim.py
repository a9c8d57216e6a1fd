"""Our signatures, judged by dkimpy."""

import base64

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from delivery.dkim import DkimSigner, dns_records, generate_keys, load_private_key
from delivery.dkim.canonical import relaxed_header, simple_body
from tests.support.dkim_oracle import verdicts
from tests.support.mails import compose, dkim_keys, dkim_signer

FIELDS = [
    (b"From", "届く <news@example.jp>".encode()),
    (b"To", b"taro@example.jp"),
    (b"Subject", b"a  folded\r\n\t subject "),
    (b"Date", b"Tue, 01 Dec 2026 00:00:00 +0000"),
    (b"Message-ID", b"<1@example.jp>"),
]


def _verified(message: bytes) -> list[bool]:
    return verdicts(message, "example.jp", dkim_keys())


def _signed(body: bytes, fields: list[tuple[bytes, bytes]] = FIELDS) -> bytes:
    head = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
    return dkim_signer().sign(fields, body) + head + b"\r\n" + body


def test_both_signatures_of_a_composed_message_verify() -> None:
    envelope = compose(signed=True, values={"name": "髙橋 ①"}, subject="{{ name }}様 😀")
    assert _verified(envelope.message) == [True, True]
    assert envelope.message.count(b"a=rsa-sha256") == envelope.message.count(b"a=ed25519-sha256") == 1


def test_a_changed_byte_of_the_body_fails() -> None:
    message = compose(signed=True).message
    body = message.index(b"\r\n\r\n") + 4
    at = message.index(b"base64", body) + 12
    changed = message[:at] + (b"A" if message[at : at + 1] != b"A" else b"B") + message[at + 1 :]
    assert _verified(changed) == [False, False]


@pytest.mark.parametrize(
    "field",
    [
        b"List-Unsubscribe: <https://evil.example/>\r\n",
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        b"From: evil@example.jp\r\n",
        b"Subject: evil\r\n",
        b"To: evil@example.jp\r\n",
        b"Date: Tue, 01 Dec 2026 00:00:00 +0000\r\n",
    ],
)
def test_a_second_field_put_in_front_fails(field: bytes) -> None:
    assert _verified(field + compose(signed=True).message) == [False, False]


def test_a_field_that_was_absent_and_is_oversigned_can_not_be_added() -> None:
    assert _verified(_signed(b"x\r\n")) == [True, True]
    assert _verified(b"List-Unsubscribe: <https://evil.example/>\r\n" + _signed(b"x\r\n")) == [False, False]


def test_no_body_length_is_signed_and_the_fields_that_matter_are() -> None:
    head = compose(signed=True).message.partition(b"\r\nFrom:")[0].replace(b"\r\n ", b"")
    assert b" l=" not in head
    for name in (b"message-id", b"reply-to", b"mime-version", b"content-type", b"list-id", b"feedback-id"):
        assert head.count(b":" + name) == 2
    assert head.count(b"from:") == head.count(b"list-unsubscribe-post:list-unsubscribe-post") + 2


def test_signature_fields_are_folded() -> None:
    head = compose(signed=True).message.partition(b"\r\nFrom:")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n", b"a", b"a\r\n\r\n", b"a  \r\n \t \r\n", b" \r\n"])
def test_bodies_at_the_edges_of_canonicalisation_verify(body: bytes) -> None:
    assert _verified(_signed(body)) == [True, True]


def test_trailing_empty_lines_do_not_matter_and_trailing_spaces_do() -> None:
    signed = _signed(b"text\r\n")
    assert _verified(signed + b"\r\n\r\n") == [True, True]
    assert _verified(signed[:-2] + b" \r\n") == [False, False]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([b" ", b"\t", b"a", b"b c", b"\r\n", b"\r\n\r\n"]), max_size=12).map(b"".join))
def test_any_body_of_text_and_white_space_verifies(body: bytes) -> None:
    assert _verified(_signed(body)) == [True, True]
    assert simple_body(body) == dkim.canonicalization.Simple.canonicalize_body(body)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([b" ", b"\t", b"a", b"\r\n ", b"\r\n\t", b"\xc3\xa9"]), max_size=12).map(b"".join))
def test_relaxed_fields_are_those_of_dkimpy(value: bytes) -> None:
    value += b"\r\n"
    expected = dkim.canonicalization.Relaxed.canonicalize_headers([(b"Subject", value)])
    assert [tuple(relaxed_header(b"Subject", value).split(b":", 1))] == expected


def test_a_field_that_comes_twice_is_signed_from_the_last_up() -> None:
    assert _verified(_signed(b"x\r\n", [*FIELDS, (b"Reply-To", b"a@b.jp"), (b"Reply-To", b"c@d.jp")])) == [True, True]


@settings(max_examples=25, deadline=None)
@given(
    fields=st.lists(
        st.tuples(
            st.sampled_from([b"From", b"To", b"SUBJECT", b"Date", b"Reply-To", b"List-Unsubscribe", b"X-Other"]),
            st.lists(st.sampled_from([b"a", b" ", b"\r\n\t", b"bc"]), min_size=1, max_size=6).map(b"".join),
        ),
        max_size=8,
    ),
    cut=st.integers(0, 8),
)
def test_what_is_prepared_makes_no_difference(fields: list[tuple[bytes, bytes]], cut: int) -> None:
    signer = dkim_signer()
    prepared = signer.prepare(fields[:cut])
    # Other lists of names in between, as of a mail without HTML.
    for varying in ([], fields[cut:], fields[cut:][::-1], fields[cut:]):
        assert prepared.sign(varying, b"x\r\n") == signer.sign([*fields[:cut], *varying], b"x\r\n")


def test_messages_signed_in_turn_by_one_prepared_signer_verify() -> None:
    prepared = dkim_signer().prepare(FIELDS[:2])
    for varying in (FIELDS[2:], [*FIELDS[2:], (b"Subject", b"another")], [(b"Subject", b"alone")], FIELDS[2:]):
        head = b"".join(name + b": " + value + b"\r\n" for name, value in [*FIELDS[:2], *varying])
        assert _verified(prepared.sign(varying, b"x\r\n") + head + b"\r\nx\r\n") == [True, True]


def test_the_same_message_gets_the_same_signatures() -> None:
    assert _signed(b"x\r\n") == _signed(b"x\r\n")


def test_records_hold_the_public_keys_in_strings_of_255_bytes() -> None:
    (rsa_name, kind, rsa), (ed_name, _, ed) = dns_records("example.jp", dkim_keys())
    assert (rsa_name, ed_name, kind) == ("todoku-rsa._domainkey.example.jp", "todoku-ed._domainkey.example.jp", "TXT")
    assert all(len(string.strip('"')) <= 255 for string in rsa.split(" ") if "=" not in string)
    assert rsa.startswith('"v=DKIM1; k=rsa; p=')
    assert rsa.count('" "') == 1
    assert len(base64.b64decode(ed.strip('"').partition("p=")[2])) == 32


def test_keys_survive_writing_and_reading() -> None:
    for key in dkim_keys():
        for encoded in (key.to_pem(), key.to_der()):
            read = load_private_key(encoded)
            assert read.public_key() == key.private.public_key()


@pytest.mark.parametrize("encoded", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_what_is_no_key_is_refused(encoded: bytes) -> None:
    with pytest.raises(InvalidInput):
        load_private_key(encoded)


def test_two_keys_can_not_share_a_selector() -> None:
    key = generate_keys()[1].private
    with pytest.raises(ValueError, match="selector"):
        DkimSigner("example.jp", [("a", key), ("a", key)])
