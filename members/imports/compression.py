"""Unpacks a compressed upload as a stream: gzip, bzip2, xz, or a zip archive that holds one file.

Blocks go in as they come, pieces of at most 1 MiB come out. What a file claims of its size is not believed: how far it
grows is bounded, in total and as a multiple of what came in, so that a small file never becomes an endless one. One
that is broken, cut short or grows beyond raises InvalidInput.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol, get_args

from core.errors import InvalidInput
from members.imports.zip_entry import ZipEntry

Compression = Literal["none", "gzip", "bzip2", "xz", "zip"]
COMPRESSIONS: tuple[str, ...] = get_args(Compression)

PIECE = 1 << 20
_GZIP = 16 + zlib.MAX_WBITS
_XZ_MEMORY = 100 << 20
"""Bytes that unpacking xz may take: its strongest setting needs 65 MiB."""
_FREE = 16 << 20
"""Bytes that any file may grow to before its ratio is asked for: a short one may well be very regular."""

_MAGIC: Mapping[bytes, Compression] = MappingProxyType(
    {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PK\x03\x04": "zip"}
)
_ZSTD = b"\x28\xb5\x2f\xfd"


class Bounds(NamedTuple):
    """How far a file may grow: `size` bytes in all, and `ratio` times what was uploaded."""

    size: int
    ratio: int


class _Packing(Protocol):
    """One way of packing, taken apart as a stream."""

    @property
    def complete(self) -> bool:
        """Whether the file may end here."""

    def unpack(self, block: bytes) -> Iterator[bytes]:
        """Take a block in; give out pieces of at most 1 MiB."""


class _Codec(Protocol):
    """What the standard library's decompressors have in common."""

    @property
    def eof(self) -> bool:
        """Whether its stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out without more going in."""

    @property
    def unused_data(self) -> bytes:
        """What came after the stream's end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take `data` in; return at most `max_length` bytes."""


class _Gzip:
    """zlib's object behind the face that the other two have."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        out = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        # A full answer may have left more inside, even where all input was taken.
        self.needs_input = len(out) < max_length and not self._stream.unconsumed_tail
        return out


class _Streams:
    """Compressed streams in a row, as `cat a.gz b.gz` makes them: one file."""

    def __init__(self, new: Callable[[], _Codec]) -> None:
        self._new = new
        self._codec = new()
        self.complete = False

    def unpack(self, block: bytes) -> Iterator[bytes]:
        while True:
            if self.complete:
                block = block.lstrip(b"\0")  # padding, as xz and tape devices leave it
                if not block:
                    return
                self._codec, self.complete = self._new(), False
            piece = self._codec.decompress(block, PIECE)
            block = b""
            if piece:
                yield piece
            if self._codec.eof:
                self.complete, block = True, self._codec.unused_data
            elif self._codec.needs_input:
                return


class _Plain:
    complete = True

    def unpack(self, block: bytes) -> Iterator[bytes]:
        yield block


_PACKINGS: Mapping[str, Callable[[], _Packing]] = MappingProxyType(
    {
        "none": _Plain,
        "gzip": lambda: _Streams(_Gzip),
        "bzip2": lambda: _Streams(bz2.BZ2Decompressor),
        "xz": lambda: _Streams(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)),
        "zip": lambda: ZipEntry(PIECE),
    }
)


def find_compression(block: bytes) -> Compression:
    """Return how a file is packed, by its first bytes; raise InvalidInput for a packing that is known and not taken."""
    if block.startswith(_ZSTD):
        raise InvalidInput("Files packed by zstd are not taken: send gzip, bzip2, xz, zip or plain text")
    return next((name for magic, name in _MAGIC.items() if block.startswith(magic)), "none")


class Unpacker:
    """Unpacks one file within bounds."""

    def __init__(self, compression: Compression, bounds: Bounds) -> None:
        self._packing = _PACKINGS[compression]()
        self._bounds = bounds
        self._taken = 0
        self._given = 0

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Take the next block in; give out what it becomes."""
        self._taken += len(block)
        try:
            for piece in self._packing.unpack(block):
                self._count(len(piece))
                yield piece
        except (zlib.error, OSError, EOFError, ValueError, lzma.LZMAError):
            raise InvalidInput("The compressed file is broken") from None

    def close(self) -> None:
        """Raise InvalidInput if the file ended before what it is packed in."""
        if not self._packing.complete:
            raise InvalidInput("The compressed file is cut short")

    def _count(self, given: int) -> None:
        self._given += given
        if self._given > self._bounds.size:
            raise InvalidInput(f"Unpacked, the file is larger than {self._bounds.size:,} bytes")
        if self._given > max(_FREE, self._bounds.ratio * self._taken):
            raise InvalidInput(f"Unpacked, the file is more than {self._bounds.ratio} times as large")
