"""The body: one part or several within one another, their transfer encoding, their boundaries.

ASCII with short lines travels as 7bit, all else as base64: quoted-printable took six times as long here and makes
Japanese three times as large. pybase64 encodes 25 times as fast as the standard library (10 KB in 0.4 µs), but its own
line breaks take longer than one struct call that cuts the lines, the fastest way that was measured.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from struct import Struct

from pybase64 import b64encode

from delivery.compose.enclosed import Enclosed

LINE = 76
MAX_LINE = 998

_TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
_HTML = b"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: "


class Body:
    """How one content version's body is put together. `seed` makes its boundaries, the same for each message.

    multipart/mixed with the attachments holds multipart/related with the images of the text, which holds
    multipart/alternative, the richest part last (RFC 2046 sections 5.1.3 and 5.1.4, RFC 2387); a level that would hold
    one part alone is left out. What differs between messages stands between `_before` and `_after`.
    """

    def __init__(self, seed: bytes, *, has_html: bool, enclosed: Enclosed | None = None) -> None:
        self._mark = blake2b(seed, digest_size=15, person=b"boundary").hexdigest().encode()
        self._has_html = has_html
        self._content_type: bytes | None = None
        self._before = self._after = b""
        alternative = self._boundary(b"a")
        self._between = b"\r\n--" + alternative + b"\r\n" + _HTML
        enclosed = enclosed or Enclosed()
        if has_html:
            self._content_type = b'multipart/alternative;\r\n boundary="' + alternative + b'"'
            self._before = b"--" + alternative + b"\r\n"
            self._after = b"\r\n--" + alternative + b"--\r\n"
        if enclosed.inline:
            self._wrap(b'related;\r\n type="multipart/alternative";', self._boundary(b"r"), enclosed.inline)
        if enclosed.attached:
            self._wrap(b"mixed;", self._boundary(b"m"), enclosed.attached)

    def _boundary(self, level: bytes) -> bytes:
        # "=_" can't be in base64; in a 7bit part the mark is looked for, message by message. All have one length, for
        # a delimiter is recognised by its beginning.
        return b"=_" + level + self._mark

    def _wrap(self, kind: bytes, boundary: bytes, parts: Sequence[bytes]) -> None:
        """Put what there is into a multipart, as its first part, before `parts`."""
        delimiter = b"--" + boundary
        inner = b"" if self._content_type is None else b"Content-Type: " + self._content_type + b"\r\n\r\n"
        self._before = delimiter + b"\r\n" + inner + self._before
        self._after = b"\r\n".join(
            (self._after.removesuffix(b"\r\n"), *(delimiter + b"\r\n" + part for part in parts), delimiter + b"--\r\n")
        )
        self._content_type = b"multipart/" + kind + b'\r\n boundary="' + boundary + b'"'

    def content_type(self) -> bytes | None:
        """Return the value of the message's Content-Type, None where it depends on the message's one part."""
        return self._content_type

    def multipart(self, text: bytes, html: bytes | None) -> bytes:
        """Return the body of a message of several parts; `html` is None where the content has none."""
        if html is None:
            return b"".join((self._before, _TEXT, *self.encode(text), self._after))
        return b"".join((self._before, _TEXT, *self.encode(text), self._between, *self.encode(html), self._after))

    def encode(self, part: bytes) -> tuple[bytes, bytes, bytes]:
        """Return a part's transfer encoding, the empty line, and the part in that encoding."""
        if self._is_7bit(part):
            return b"7bit", b"\r\n\r\n", part if part.endswith(b"\r\n") else part + b"\r\n"
        return b"base64", b"\r\n\r\n", base64(part)

    def _is_7bit(self, part: bytes) -> bool:
        return (
            part.isascii()
            and b"\0" not in part
            and self._mark not in part
            and max(map(len, part.split(b"\r\n"))) <= MAX_LINE
        )


def base64(raw: bytes) -> bytes:
    """Return `raw` in base64 with lines of 76 characters, each ended by CRLF (RFC 2045 section 6.8)."""
    encoded = b64encode(raw)
    whole, rest = divmod(len(encoded), LINE)
    lines = _lines(whole).unpack_from(encoded)
    return b"\r\n".join((*lines, encoded[-rest:], b"") if rest else (*lines, b""))


@lru_cache(maxsize=1024)
def _lines(count: int) -> Struct:
    return Struct(f"{LINE}s" * count)
