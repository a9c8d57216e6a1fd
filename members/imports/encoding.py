"""Which encoding and which delimiter a file has: found by looking, as Excel in Japan does not say."""

import codecs
import re

_THREE_BYTES = re.compile("[\u0800-\ud7ff\ue000-\uffff]")
_UNDECODED = re.compile("[\udc80-\udcff]")
_QUOTED = re.compile(r'"[^"]*"')
_DELIMITERS = (",", "\t", ";")
_ENOUGH = 1000
ON_ERROR = "surrogateescape"
"""Bytes that mean nothing in the encoding become lone surrogates, so that only their own row is refused."""


class Detector:
    """Sees a file block by block, in constant memory, until there is no doubt.

    A byte order mark decides. Else it is UTF-8 unless more bytes are wrong there than characters are right: Japanese in
    CP932 makes hardly a character of three bytes when read as UTF-8 (half-width kana make some of two), and a few
    broken bytes in a file of UTF-8 do not make it CP932.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(ON_ERROR)
        self._first = True
        self._marked: str | None = None
        self._right = 0
        self._wrong = 0

    def see(self, block: bytes) -> bool:
        """Look at the next block; return whether what the file is can still change."""
        if self._first:
            self._first = False
            self._marked = _by_mark(block)
        if self._marked is not None:
            return False
        if not block.isascii():
            text = self._decoder.decode(block)
            self._right += len(_THREE_BYTES.findall(text))
            self._wrong += len(_UNDECODED.findall(text))
        return abs(self._right - self._wrong) < _ENOUGH

    def encoding(self) -> str:
        """Return `utf-8`, `cp932` or `utf-16`."""
        if self._marked is not None:
            return self._marked
        return "cp932" if self._wrong > self._right else "utf-8"


def _by_mark(block: bytes) -> str | None:
    if block.startswith(codecs.BOM_UTF8):
        return "utf-8"
    return "utf-16" if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else None


def has_undecoded(text: str) -> bool:
    """Whether a text holds bytes that could not be decoded."""
    return not text.isascii() and _UNDECODED.search(text) is not None


def find_delimiter(header: str) -> str:
    """Return the delimiter that stands most often in the header line, outside quotes; comma if none does."""
    bare = _QUOTED.sub("", header)
    return max(_DELIMITERS, key=bare.count)
