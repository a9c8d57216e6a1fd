"""The one file in a zip archive, read as a stream (PKWARE APPNOTE 4.3).

The directory at an archive's end is not waited for: the local header in front of the file says how it is packed. What
macOS adds for itself (`__MACOSX/…`) is passed over; any other second file, a folder, an encrypted one or one packed
otherwise than by deflate raises InvalidInput.
"""

import struct
import zlib
from collections.abc import Callable, Iterator

from core.errors import InvalidInput

_LOCAL, _DIRECTORY, _DESCRIPTOR = b"PK\x03\x04", b"PK\x01\x02", b"PK\x07\x08"
_HEADER = struct.Struct("<4sHHHHHIIIHH")
_ENCRYPTED, _SIZES_FOLLOW = 0x1, 0x8
_STORED, _DEFLATED = 0, 8
_UNKNOWN = 0xFFFFFFFF
_AFTER = 28
"""Bytes behind the file that are enough to see its descriptor and what comes next."""
_WORKBOOK = b"[Content_Types].xml"
_MACOS = b"__MACOSX/"


class ZipEntry:
    """Takes an archive apart. `complete` once all that follows the file was seen to be harmless."""

    def __init__(self, piece: int) -> None:
        self.complete = False
        self._piece = piece
        self._waiting = b""
        self._flags = 0
        self._crc = 0
        self._left = 0
        self._stream: zlib._Decompress | None = None
        self._found = 0
        self._step: Callable[[], bytes | None] = self._open

    def unpack(self, block: bytes) -> Iterator[bytes]:
        """Take a block in; give out what it holds of the file. Raises InvalidInput, zlib.error."""
        self._waiting += block
        while (piece := self._step()) is not None:
            if piece:
                yield piece

    def _open(self) -> bytes | None:
        """Read the local header; as all steps, return None where more must come first."""
        name = _name_of(self._waiting)
        if name is None:
            return None
        _, _, self._flags, method, _, _, self._crc, size, _, name_length, extra = _HEADER.unpack_from(self._waiting)
        if name == _WORKBOOK:
            raise InvalidInput("This is an Excel workbook: save it as CSV")
        if self._flags & _ENCRYPTED:
            raise InvalidInput("The archive is encrypted")
        if name.endswith(b"/"):
            raise InvalidInput("The archive begins with a folder: pack the one file alone")
        self._waiting = self._waiting[_HEADER.size + name_length + extra :]
        if method == _DEFLATED:
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            self._step = self._inflate
        elif method == _STORED and not self._flags & _SIZES_FOLLOW and size != _UNKNOWN:
            self._left = size
            self._step = self._copy
        else:
            raise InvalidInput("The archive is packed in a way that is not taken: use deflate")
        return b""

    def _inflate(self) -> bytes | None:
        stream = self._stream
        if stream is None:
            raise InvalidInput("The archive is broken")
        piece = stream.decompress(self._waiting, self._piece)
        self._found = zlib.crc32(piece, self._found)
        if stream.eof:
            self._waiting = stream.unused_data
            self._step = self._compare
            return piece
        self._waiting = stream.unconsumed_tail
        # A full piece may have left more inside, even where all input was taken.
        return piece if self._waiting or len(piece) == self._piece else (piece or None)

    def _copy(self) -> bytes | None:
        most = min(self._left, self._piece)
        piece, self._waiting = self._waiting[:most], self._waiting[most:]
        self._found = zlib.crc32(piece, self._found)
        self._left -= len(piece)
        if not self._left:
            self._step = self._compare
            return piece
        return piece or None

    def _compare(self) -> bytes | None:
        if len(self._waiting) < _AFTER:
            return None
        crc, following = self._crc, self._waiting
        if self._flags & _SIZES_FOLLOW:
            crc, following = _described(self._waiting)
        if crc != self._found:
            raise InvalidInput("The file in the archive is damaged: its checksum is another")
        self._waiting = following
        self._step = self._follow
        return b""

    def _follow(self) -> bytes | None:
        if self._waiting.startswith(_LOCAL):
            name = _name_of(self._waiting)
            if name is None:
                return None
            if not name.startswith(_MACOS):
                raise InvalidInput("The archive holds more than one file")
        elif not self._waiting.startswith(_DIRECTORY):
            raise InvalidInput("The archive is broken behind its file")
        self.complete = True
        self._step = self._pass_over
        return b""

    def _pass_over(self) -> bytes | None:
        self._waiting = b""
        return None


def _name_of(header: bytes) -> bytes | None:
    """Return the name in a local header; None while it is not whole."""
    if len(header) < _HEADER.size:
        return None
    signature, *_, name_length, extra_length = _HEADER.unpack_from(header)
    if signature != _LOCAL:
        raise InvalidInput("The archive is broken")
    if len(header) < _HEADER.size + name_length + extra_length:
        return None
    return header[_HEADER.size : _HEADER.size + name_length]


def _described(waiting: bytes) -> tuple[int, bytes]:
    """Return a data descriptor's checksum and what follows it. Its signature is optional, its sizes 4 or 8 bytes."""
    start = 4 if waiting.startswith(_DESCRIPTOR) else 0
    for end in (start + 12, start + 20):
        if waiting[end : end + 4] in {_LOCAL, _DIRECTORY}:
            return int.from_bytes(waiting[start : start + 4], "little"), waiting[end:]
    raise InvalidInput("The archive is broken behind its file")
