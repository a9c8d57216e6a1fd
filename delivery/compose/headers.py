"""Header fields, serialised by ourselves: the standard library turns long tokens into encoded words.

Lines end in CRLF; none is over 78 characters unless one unbreakable token is, none over 998 (RFC 5322 section 2.1.1).
What isn't ASCII becomes encoded words of at most 75 characters on lines of at most 76, which never split a character
(RFC 2047). Values come in as one line: `one_line` has taken controls out of what members gave.
"""

import re
from base64 import b64encode
from datetime import datetime
from email.utils import format_datetime

LINE = 78
ENCODED_LINE = 76
MAX_LINE = 998
_WORD_FRAME = len("=?utf-8?b??=")
_MAX_WORD = 75
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\- ]*")
_FOLD = b"\r\n "


def field(name: str, value: bytes) -> bytes:
    """Return a whole header field with its CRLF; `value` is folded already."""
    return name.encode("ascii") + b": " + value + b"\r\n"


def unstructured(text: str, *, name: str) -> bytes:
    """Return free text (a Subject) as a field's value; `name` is the field's, for the room on its first line."""
    taken = len(name) + 2
    if is_plain(text):
        if taken + len(text) <= LINE:
            return text.encode()
        words = text.split(" ")
        # A word that fits no line, or a run of spaces (a fold could leave a line of spaces only), is encoded.
        if all(word and len(word) < LINE - taken for word in words):
            return fold(text, taken=taken)
    return encoded_words(text, taken=taken)


def mailbox(display_name: str, address: str, *, name: str) -> bytes:
    """Return `display name <address>` as a field's value (RFC 5322 section 3.4); the bare address without a name."""
    taken = len(name) + 2
    spec = address.encode()
    display = display_name.strip()
    if not display:
        return spec
    shown = b""
    if is_plain(display) and len(display) <= LINE - taken:
        phrase = display if _ATOMS.fullmatch(display) and "  " not in display else quoted(display)
        shown = phrase.encode()
    if len(shown) == 0 or taken + len(shown) > LINE:
        shown = encoded_words(display, taken=taken)
    last = shown.rpartition(b"\n")[2]
    room = ENCODED_LINE - len(last) - (0 if last is not shown and b"\n" in shown else taken)
    return shown + (b" " if len(spec) + 3 <= room else _FOLD) + b"<" + spec + b">"


def is_plain(text: str) -> bool:
    """Say whether a text may stand in a header field as it is."""
    return text.isascii() and "=?" not in text and text.isprintable() and text == text.strip()


def quoted(text: str) -> str:
    """Return a quoted-string (RFC 5322 section 3.2.4)."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def encoded_words(text: str, *, taken: int) -> bytes:
    """Return `text` as folded encoded words in UTF-8 and base64; `taken` is what the first line holds already."""
    raw = text.encode("utf-8", "replace")
    words: list[bytes] = []
    at = 0
    room = min(_MAX_WORD, ENCODED_LINE - taken)
    while at < len(raw):
        end = min(len(raw), at + (room - _WORD_FRAME) // 4 * 3)
        # Go back to where a character begins.
        while end < len(raw) and raw[end] & 0xC0 == 0x80:  # noqa: PLR2004 - UTF-8's continuation bytes
            end -= 1
        words.append(b"=?utf-8?b?" + b64encode(raw[at:end]) + b"?=")
        at, room = end, ENCODED_LINE - 1
    return _FOLD.join(words)


def fold(text: str, *, taken: int) -> bytes:
    """Return ASCII text broken at its spaces so that lines keep to 78 characters where words allow it."""
    lines: list[str] = []
    line, room = "", LINE - taken
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = word, LINE - 1
        else:
            line = f"{line} {word}" if line else word
    return _FOLD.join(part.encode("ascii") for part in (*lines, line))


def date(at: datetime) -> bytes:
    """Return a Date (RFC 5322 section 3.3); `at` is aware."""
    return format_datetime(at).encode("ascii")
