"""Cuts what a server sends into replies; pure and bounded (RFC 5321 section 4.2)."""

from collections.abc import Iterator

LINE_LIMIT = 2_048
"""Octets of one reply line with its line end; RFC 5321 section 4.5.3.1.5 asks for 512."""

LINES_LIMIT = 64
"""Lines of one reply."""

_DIGITS = frozenset(b"0123456789")
_CLASSES = frozenset(b"2345")


class MalformedReply(ValueError):  # noqa: N818
    """What the peer sent is no SMTP reply, or is over a bound; the connection can't be used any further."""


class ReplyParser:
    """Takes segments as they come and gives back complete replies: `(code, text)`, lines joined by line feeds."""

    __slots__ = ("_code", "_lines", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._code = 0
        self._lines: list[bytes] = []

    @property
    def pending(self) -> bool:
        """Whether a reply has begun and is not complete."""
        return bool(self._rest or self._lines)

    def feed(self, received: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield the replies that `received` completes, in order; raises MalformedReply where they come to an end."""
        lines = (self._rest + received if self._rest else received).split(b"\n")
        self._rest = lines.pop()
        for ended in lines:
            if len(ended) >= LINE_LIMIT:
                raise MalformedReply("a line is too long")
            line = ended.rstrip(b"\r")
            if len(line) < 3 or line[0] not in _CLASSES or line[1] not in _DIGITS or line[2] not in _DIGITS:  # noqa: PLR2004
                raise MalformedReply("a line has no reply code")
            code, mark, text = int(line[:3]), line[3:4], line[4:]
            if self._lines and code != self._code:
                raise MalformedReply("the code changes within a reply")
            if mark == b"-":
                self._code = code
                self._lines.append(text)
                if len(self._lines) >= LINES_LIMIT:
                    raise MalformedReply("a reply has too many lines")
            elif mark in (b" ", b""):
                if self._lines:
                    text = b"\n".join([*self._lines, text])
                    self._lines = []
                yield code, text
            else:
                raise MalformedReply("a code is followed by neither space nor hyphen")
        if len(self._rest) >= LINE_LIMIT:
            raise MalformedReply("a line is too long")
