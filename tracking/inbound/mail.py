"""Takes a mail apart for reading, within bounds: whatever a stranger wrote, this ends soon.

Read is the head of a message, MOST_READ bytes: what a report has to say stands before the mail that it returns. What
is nested without end, or breaks the standard library's parser, is Unreadable; nothing else is ever raised.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from core.errors import TodokuError

MOST_READ = 262_144
MOST_LINES = 10_000
MOST_NESTED = 48
"""Multiparts and messages within messages, by the words that declare them."""
MOST_PARTS = 64
MOST_TEXT = 20_000
MOST_VALUE = 2_000
MOST_PARAMETERS = 8_192
"""Bytes of a field with parameters: the time that they take the standard library grows with their square."""
MOST_FIELDS = 200

BROKEN: tuple[type[Exception], ...] = (
    *(MessageError, RecursionError, ValueError, LookupError, TypeError, AttributeError, AssertionError),
)
"""What readers of mail in the standard library, and those that stand on it, end with where it is hostile."""

_PARAMETERS = re.compile(rb"^content-(?:type|disposition)[ \t]*:[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE | re.MULTILINE)
_DECLARES = re.compile(rb"boundary|message/", re.IGNORECASE)
# RFC 6533 reports hold the same fields; the standard library knows the older name alone.
_GLOBAL_STATUS = re.compile(rb"message/global-delivery-status", re.IGNORECASE)
_FOLD = re.compile(r"\s*[\r\n]+\s*")
_TAG = re.compile(r"<[^<>]{0,2000}>")
# Decoders of text alone: Python's own list has ones whose time grows with the square of their input.
_CHARSETS = frozenset(
    (
        *("iso-8859-1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251", "windows-1252", "koi8-r"),
        *("iso-2022-jp", "iso-2022-jp-1", "iso-2022-jp-2", "shift_jis", "cp932", "euc-jp"),
        *("gb2312", "gbk", "gb18030", "big5", "euc-kr", "iso-2022-kr"),
    )
)


class Unreadable(TodokuError):  # noqa: N818 - named by meaning
    """A mail that can't be taken apart."""

    code = "unreadable"
    title = "The mail can't be read"


@dataclass(frozen=True, slots=True)
class Head:
    """Header fields: values by name in lower case, unfolded, at most 2,000 characters each."""

    fields: dict[str, list[str]]

    def get(self, name: str) -> str:
        """Return the first field's value, or "" if there is none."""
        return self.fields.get(name, [""])[0]

    def __contains__(self, name: str) -> bool:
        """Say whether there is such a field."""
        return name in self.fields

    def decoded(self, name: str) -> str:
        """Return the first field's value with its encoded words (RFC 2047) decoded, as far as they can be."""
        value = self.get(name)
        try:
            pieces = decode_header(value) if "=?" in value else [(value, None)]
        except (MessageError, ValueError):
            return value
        return "".join(
            piece if isinstance(piece, str) else _in_charset(piece, charset or "us-ascii") for piece, charset in pieces
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail: its media type in lower case; its text, or the blocks of fields of a machine's report.

    Of a mail that is returned (message/rfc822, text/rfc822-headers) `blocks` holds the head.
    """

    kind: str
    text: str = ""
    blocks: Sequence[Head] = ()


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail taken apart. `report` is the report-type of a multipart/report (RFC 6522), `raw` what of it was read."""

    head: Head
    kind: str
    report: str
    parts: Sequence[Part]
    raw: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """What it says to a person: its text parts before anything that is returned, else those in HTML."""
        plain: list[str] = []
        for part in self.parts:
            if part.kind in RETURNED:
                break
            if part.kind == "text/plain":
                plain.append(part.text)
        if not plain:
            plain = [_without_tags(part.text) for part in self.parts if part.kind == "text/html"][:1]
        return "\n".join(plain)[:MOST_TEXT]

    def blocks(self, *kinds: str) -> Sequence[Head]:
        """Return the fields of the first part of one of these kinds."""
        return next((part.blocks for part in self.parts if part.kind in kinds), ())


RETURNED = ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers")


def read(raw: bytes) -> Mail:
    """Take a message apart; raise Unreadable."""
    raw = raw[:MOST_READ]
    if raw.count(b"\n") > MOST_LINES:
        raw = b"\n".join(raw.split(b"\n", MOST_LINES)[:MOST_LINES])
    if len(_DECLARES.findall(raw)) > MOST_NESTED:
        raise Unreadable("It is nested too deep")
    if any(len(field) > MOST_PARAMETERS for field in _PARAMETERS.findall(raw)):
        raise Unreadable("A field has too many parameters")
    try:
        return _read(raw)
    except BROKEN as error:
        # What the standard library's parser lets out of hostile mail; its text would quote it.
        raise Unreadable(f"Its parser ended with {type(error).__name__}") from None


def _read(raw: bytes) -> Mail:
    parsed = BytesParser(policy=compat32).parsebytes(_GLOBAL_STATUS.sub(b"message/delivery-status", raw))
    report = parsed.get_param("report-type", "") if parsed.get_content_type() == "multipart/report" else ""
    parts = tuple(_parts(parsed, MOST_PARTS))
    return Mail(_head(parsed), parsed.get_content_type(), str(report).lower().strip(), parts, raw)


def _parts(message: Message, left: int) -> Iterator[Part]:
    """Give out the parts in their order, without going into what is returned; `left` at most."""
    waiting = [message]
    while waiting and left:
        left -= 1
        part = waiting.pop(0)
        kind = part.get_content_type()
        payload = part.get_payload()
        if kind in RETURNED or kind in ("message/delivery-status", "message/feedback-report"):
            yield Part(kind, blocks=_blocks(part, kind))
        elif isinstance(payload, list):
            waiting[:0] = [one for one in payload if isinstance(one, Message)][:left]
        elif part.get_content_maintype() == "text":
            yield Part(kind, _text(part))
        else:
            yield Part(kind)


def _blocks(part: Message, kind: str) -> tuple[Head, ...]:
    payload = part.get_payload()
    if isinstance(payload, list):
        return tuple(_head(one) for one in payload[:MOST_PARTS] if isinstance(one, Message))
    if kind.endswith("headers"):
        return (_head(BytesParser(policy=compat32).parsebytes(_bytes(part), headersonly=True)),)
    return ()


def _head(message: Message) -> Head:
    fields: dict[str, list[str]] = {}
    for name, value in list(message.raw_items())[:MOST_FIELDS]:
        fields.setdefault(name.lower(), []).append(_plain(str(value)))
    return Head(fields)


def _plain(value: str) -> str:
    """Return a field's value on one line; bytes beyond ASCII, which the parser hands on as surrogates, as UTF-8."""
    value = _FOLD.sub(" ", value[:MOST_VALUE]).strip()
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _text(part: Message) -> str:
    return _in_charset(_bytes(part)[: MOST_TEXT * 4], str(part.get_content_charset("us-ascii")))[:MOST_TEXT]


def _bytes(part: Message) -> bytes:
    encoding = str(part.get("content-transfer-encoding", "")).strip().lower()
    # uuencode is long dead, and its decoder the one that lets hostile input break it.
    content = part.get_payload() if "uu" in encoding else part.get_payload(decode=True)
    return content if isinstance(content, bytes) else str(content).encode("utf-8", "surrogateescape")


def _in_charset(content: bytes, charset: str) -> str:
    known = charset.strip().lower().replace("_", "-").replace("shift-jis", "shift_jis")
    # What says to be ASCII and is not, is UTF-8 nowadays.
    return content.decode(known if known in _CHARSETS else "utf-8", "replace")


def _without_tags(text: str) -> str:
    return html.unescape(_TAG.sub(" ", text))
