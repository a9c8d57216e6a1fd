"""From a message's bytes to what a person reads: decoded headers, text, HTML, attachments.

Mail is whatever somebody sent: unknown charsets, broken encodings and absurd nesting are shown as well as can be, and
never raise.
"""

import re
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser

_FOLD = re.compile(r"\r?\n[ \t]*")
_BODY = re.compile(rb"\r?\n\r?\n")
_SUBJECT = re.compile(rb"^subject:(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_SHOWN = 2_000_000


@dataclass(frozen=True, slots=True)
class Attachment:
    """One part that is neither the text nor the HTML shown; `number` is its place among the attachments, from 0.

    `content_id` is what the HTML calls it by (`cid:`), an empty string if it has none.
    """

    number: int
    name: str
    content_type: str
    content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as a person reads it; `text` and `html` are the first 2 MB of the first such part."""

    headers: tuple[tuple[str, str], ...]
    text: str | None
    html: str | None
    attachments: tuple[Attachment, ...]

    def header(self, name: str) -> str:
        """Return the first header field of that name, or an empty string."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def read_mail(message: bytes) -> Mail:
    """Parse a whole message; one nested beyond Python's recursion keeps only its headers."""
    try:
        parsed = message_from_bytes(message)
        parts = [part for part in parsed.walk() if not part.is_multipart()]
    except RecursionError:
        parsed, parts = BytesHeaderParser().parsebytes(message), []
    text = _first(parts, "text/plain")
    html = _first(parts, "text/html")
    rest = (part for part in parts if part is not text and part is not html)
    return Mail(
        headers=tuple((name, decode_text(value)) for name, value in parsed.items()),
        text=None if text is None else _decoded(text),
        html=None if html is None else _decoded(html),
        attachments=tuple(_attachment(number, part) for number, part in enumerate(rest)),
    )


def subject_of(beginning: bytes) -> str:
    """Return the decoded subject from a message's beginning (its first kilobytes are enough)."""
    found = _SUBJECT.search(_BODY.split(beginning, maxsplit=1)[0])
    return decode_text(found[1].strip().decode("utf-8", "replace")) if found else ""


def decode_text(value: object) -> str:
    """Decode a header field's encoded words (RFC 2047) and unfold it; what can't be decoded stays as it is."""
    raw = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    unfolded = _FOLD.sub(" ", raw)
    if "=?" not in unfolded:
        return unfolded
    try:
        return "".join(_in_charset(piece, charset) for piece, charset in decode_header(unfolded))
    except HeaderParseError:
        return unfolded


def _in_charset(piece: bytes | str, charset: str | None) -> str:
    if isinstance(piece, str):
        return piece
    if charset is None:
        # decode_header hands plain text between encoded words back through this codec.
        return piece.decode("raw-unicode-escape", "replace")
    try:
        return piece.decode(charset, "replace")
    except (LookupError, ValueError):
        return piece.decode("utf-8", "replace")


def _first(parts: list["Message[str, str]"], content_type: str) -> "Message[str, str] | None":
    return next(
        (part for part in parts if part.get_content_type() == content_type and part.get_filename() is None),
        None,
    )


def _content(part: "Message[str, str]") -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _decoded(part: "Message[str, str]") -> str:
    text = _in_charset(_content(part), part.get_content_charset() or "utf-8")[:_SHOWN]
    return text.replace("\r\n", "\n")


def _attachment(number: int, part: "Message[str, str]") -> Attachment:
    name = decode_text(part.get_filename() or f"part-{number + 1}")
    content_id = str(part.get("Content-ID", "")).strip().strip("<>")
    return Attachment(number, name, part.get_content_type(), _content(part), content_id)
