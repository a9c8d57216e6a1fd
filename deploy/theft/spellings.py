"""In which forms a value may stand in stolen bytes: charsets, encodings of bytes as text, unkeyed hashes. Pure.

What is shorter than `LEAST_BYTES` can't be told from chance among millions of random bytes, and has no spelling.
"""

import hashlib
import json
import re
import unicodedata
from base64 import b64encode
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

LEAST_BYTES = 7
"""Of the value as it is stored. 56 bits: a gigabyte of noise holds one such pattern by chance in 70 million cases."""
_LEAST_TEXT = 10
"""Characters of base64 or hex: about as many bits."""
_CHARSETS = ("utf-8", "utf-16-le", "utf-16-be", "cp932", "euc-jp", "iso-2022-jp")
_ESCAPE = re.compile(r"\\u[0-9a-f]{4}")
_HASHES = ("md5", "sha1", "sha256", "sha512")
_LITERAL = frozenset(range(0x21, 0x7F)) - frozenset(b"=\\")
_TRUNCATED = 16
"""Bytes of a hash that are looked for: whole ones begin with them."""


def spellings(value: str) -> dict[bytes, str]:
    """Return each form of a value by how it is spelt, for people: `{b"taro": "plain", b"dGFy": "base64", …}`.

    Empty for a value that is too short.
    """
    found: dict[bytes, str] = {}
    for text in _texts(value):
        for charset, raw in _encoded(text):
            if len(raw) < LEAST_BYTES:
                continue
            for pattern, how in _forms(raw):
                found.setdefault(pattern, how if charset == "utf-8" else f"{how}, {charset}")
        for pattern in _json(text):
            found.setdefault(pattern, "JSON escapes")
        for pattern, how in _hashed(text.encode()):
            found.setdefault(pattern, how)
    return found


def _texts(value: str) -> list[str]:
    """Return a value as written, folded, in either case, without what separates its parts; none that is too short."""
    folded = unicodedata.normalize("NFKC", value)
    texts = [value, folded, folded.lower(), folded.upper(), folded.casefold()]
    bare = "".join(letter for letter in folded if letter.isalnum())
    # A number without its dashes, a name without its space; an address without its dots is another address.
    texts += [bare] if "@" not in value else []
    return [text for text in dict.fromkeys(texts) if _is_text(text) and len(text.encode()) >= LEAST_BYTES]


def _is_text(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _encoded(text: str) -> Iterator[tuple[str, bytes]]:
    for charset in _CHARSETS:
        try:
            yield charset, text.encode(charset)
        except UnicodeEncodeError:
            continue


def _forms(raw: bytes) -> Iterator[tuple[bytes, str]]:
    yield raw, "plain"
    yield raw.hex().encode(), "hex"
    yield raw.hex().upper().encode(), "hex"
    for shift in range(3):
        for middle in _base64(raw, shift):
            yield middle, "base64"
    quoted = quote_from_bytes(raw, safe="")
    for form in (quoted, quote_from_bytes(raw, safe="@+!'()*")):
        if form.encode() != raw:
            yield form.encode(), "percent-encoding"
            yield form.lower().encode(), "percent-encoding"
    # A space stands for itself in most places, and in some (RFC 2047) is spelt like the rest.
    for literal in (_LITERAL, _LITERAL | {ord(" ")}):
        for form, how in (("={:02X}", "quoted-printable"), ("\\x{:02x}", "backslash escapes")):
            spelt = "".join(chr(byte) if byte in literal else form.format(byte) for byte in raw).encode()
            if spelt != raw:
                yield spelt, how


def _base64(raw: bytes, shift: int) -> Iterator[bytes]:
    """Give out what is always the same of a value in base64 behind `shift` other bytes (RFC 4648, both alphabets)."""
    text = b64encode(bytes(shift) + raw).rstrip(b"=")
    first = (0, 2, 3)[shift]
    # The last letter may hold bits of the byte that follows.
    last = len(text) if (shift + len(raw)) % 3 == 0 else len(text) - 1
    middle = text[first:last]
    if len(middle) >= _LEAST_TEXT:
        yield middle
        yield middle.translate(bytes.maketrans(b"+/", b"-_"))


def _hashed(raw: bytes) -> Iterator[tuple[bytes, str]]:
    for name in _HASHES:
        digest = hashlib.new(name, raw, usedforsecurity=False).digest()[:_TRUNCATED]
        how = f"unkeyed {name}"
        yield digest, how
        yield digest.hex().encode(), how
        yield digest.hex().upper().encode(), how
        text = b64encode(digest).rstrip(b"=")[:-1]
        yield text, how
        yield text.translate(bytes.maketrans(b"+/", b"-_")), how


def _json(text: str) -> Iterator[bytes]:
    """Give out a text as JSON spells it in ASCII (RFC 8259 section 7), in hex digits of either case."""
    escaped = json.dumps(text)[1:-1]
    if escaped != text:
        yield escaped.encode()
        yield _ESCAPE.sub(lambda found: found[0][:2] + found[0][2:].upper(), escaped).encode()
