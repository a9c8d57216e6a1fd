"""Which encoding and which delimiter a file has: found by looking, as Excel in Japan does not say."""

import codecs
import re
from collections.abc import Mapping
from types import MappingProxyType

ON_ERROR = "todoku-undecoded"
"""Bytes that mean nothing in the encoding become lone surrogates, so that only their own row is refused."""


ENCODINGS: Mapping[str, str] = MappingProxyType({"utf-8": "utf-8", "cp932": "cp932", "utf-16": "utf-16"})
"""The encodings by the name that is shown, and Python's codec for each."""

_THREE_BYTES = re.compile("[\u0800-\ud7ff\ue000-\uffff]")
_UNDECODED = re.compile("[\udc00-\udcff]")
_QUOTED = re.compile(r'"[^"]*"')
DELIMITERS = (",", "\t", ";")
_ENOUGH = 1000
_STEP = 1 << 16
"""Bytes after which doubt may end: reading as UTF-8 what is none takes a microsecond a byte."""
_HEAD = 256
"""Bytes by which UTF-16 without a byte order mark is told: text has no zero bytes in any other encoding."""


def _keep(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


# Python's own surrogateescape gives up on bytes below 0x80, as a broken pair of UTF-16 holds them.
codecs.register_error(ON_ERROR, _keep)


class Detector:
    """Sees a file block by block, in constant memory, until there is no doubt.

    A byte order mark decides. Else it is UTF-8 unless more bytes are wrong there than characters are right: Japanese in
    CP932 makes hardly a character of three bytes when read as UTF-8 (half-width kana make some of two), and a few
    broken bytes in a file of UTF-8 do not make it CP932.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
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
        if block.isascii():
            return self._is_doubtful()
        for start in range(0, len(block), _STEP):
            text = self._decoder.decode(block[start : start + _STEP])
            self._right += len(_THREE_BYTES.findall(text))
            self._wrong += len(_UNDECODED.findall(text))
            if not self._is_doubtful():
                break
        return self._is_doubtful()

    def _is_doubtful(self) -> bool:
        return abs(self._right - self._wrong) < _ENOUGH

    def encoding(self) -> str:
        """Return `utf-8`, `cp932` or `utf-16`."""
        if self._marked is not None:
            return self._marked
        return "cp932" if self._wrong > self._right else "utf-8"


class Decoder:
    """Makes text of a file's bytes; a byte order mark is taken off."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None

    def decode(self, piece: bytes, *, final: bool = False) -> str:
        """Return the text of the next piece, as far as its characters are whole."""
        if self._decoder is not None:
            return self._decoder.decode(piece, final)
        self._head += piece
        if len(self._head) < _HEAD and not final:
            return ""
        codec = ENCODINGS[self._encoding]
        if codec == "utf-16":
            codec = "utf-16-be" if _is_big_endian(self._head) else "utf-16-le"
        self._decoder = codecs.getincrementaldecoder(codec)(ON_ERROR)
        return self._decoder.decode(self._head, final).removeprefix("\ufeff")


def _by_mark(block: bytes) -> str | None:
    if block.startswith(codecs.BOM_UTF8):
        return "utf-8"
    marked = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return "utf-16" if marked or 0 in block[:_HEAD] else None


def _is_big_endian(head: bytes) -> bool:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return head.startswith(codecs.BOM_UTF16_BE)
    return head[:_HEAD:2].count(0) > head[1:_HEAD:2].count(0)


def has_undecoded(text: str) -> bool:
    """Whether a text holds bytes that could not be decoded."""
    try:
        # No surrogate can be encoded, and finding that out takes a fifth of a search.
        text.encode()
    except UnicodeEncodeError:
        return _UNDECODED.search(text) is not None
    return False


def find_delimiter(header: str) -> str:
    """Return the delimiter that stands most often in the header line, outside quotes; comma if none does."""
    bare = _QUOTED.sub("", header)
    return max(DELIMITERS, key=bare.count)
