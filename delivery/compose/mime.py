"""The body: one part or multipart/alternative, its transfer encoding, its boundary.

ASCII with short lines travels as 7bit, all else as base64: quoted-printable took six times as long here and makes
Japanese three times as large. pybase64 encodes 25 times as fast as the standard library (10 KB in 0.4 µs), but its own
line breaks take longer than one struct call that cuts the lines, the fastest way that was measured.
"""

from functools import lru_cache
from hashlib import blake2b
from struct import Struct

from pybase64 import b64encode

LINE = 76
MAX_LINE = 998


class Body:
    """How one content version's body is put together. `seed` makes its boundary, the same for each message."""

    def __init__(self, seed: bytes, *, has_html: bool) -> None:
        # "=_" can't be in base64 or quoted-printable; in a 7bit part it is looked for, message by message.
        self._boundary = b"=_" + blake2b(seed, digest_size=15, person=b"boundary").hexdigest().encode()
        self._has_html = has_html
        self._delimiter = b"--" + self._boundary
        self._end = b"\r\n" + self._delimiter + b"--\r\n"

    def content_type(self) -> bytes | None:
        """Return the value of the message's Content-Type, None where it depends on the message's one part."""
        return b'multipart/alternative;\r\n boundary="' + self._boundary + b'"' if self._has_html else None

    def multipart(self, text: bytes, html: bytes) -> bytes:
        """Return a multipart/alternative body, the richest part last (RFC 2046 section 5.1.4)."""
        return b"".join(
            (
                self._delimiter,
                b"\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ",
                *self.encode(text),
                b"\r\n",
                self._delimiter,
                b"\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: ",
                *self.encode(html),
                self._end,
            )
        )

    def encode(self, part: bytes) -> tuple[bytes, bytes, bytes]:
        """Return a part's transfer encoding, the empty line, and the part in that encoding."""
        if self._is_7bit(part):
            return b"7bit", b"\r\n\r\n", part if part.endswith(b"\r\n") else part + b"\r\n"
        return b"base64", b"\r\n\r\n", base64(part)

    def _is_7bit(self, part: bytes) -> bool:
        return (
            part.isascii()
            and b"\0" not in part
            and self._delimiter not in part
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
