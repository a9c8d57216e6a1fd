import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from members.imports.compression import PIECE, Bounds, Compression, Unpacker, find_compression

BOUNDS = Bounds(size=100_000_000, ratio=100)


def zipped(content: bytes, name: str = "members.csv", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, content)
    return out.getvalue()


class Pipe(io.RawIOBase):
    """Takes bytes in and can't be wound back: sizes and checksum then follow the file."""

    def __init__(self) -> None:
        self.taken = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self.taken += piece
        return len(piece)


def zipped_as_a_stream(content: bytes) -> bytes:
    out = Pipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("members.csv", content)
    return bytes(out.taken)


PACKERS: dict[str, tuple[Compression, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "two of gzip": ("gzip", lambda content: gzip.compress(content[:9]) + gzip.compress(content[9:]) + b"\0" * 512),
    "bzip2": ("bzip2", bz2.compress),
    "xz": ("xz", lambda content: lzma.compress(content, preset=0)),
    "zip": ("zip", zipped),
    "zip, stored": ("zip", lambda content: zipped(content, method=zipfile.ZIP_STORED)),
    "zip, streamed": ("zip", zipped_as_a_stream),
    "plain": ("none", bytes),
}


def unpack(compression: Compression, packed: bytes, cut: int = 10**9, bounds: Bounds = BOUNDS) -> bytes:
    unpacker = Unpacker(compression, bounds)
    out = bytearray()
    for start in range(0, len(packed), cut):
        for piece in unpacker.feed(packed[start : start + cut]):
            assert len(piece) <= max(PIECE, cut)
            out += piece
    unpacker.close()
    return bytes(out)


@pytest.mark.parametrize("name", PACKERS)
@given(content=st.binary(max_size=3000), cut=st.integers(1, 400))
def test_what_was_packed_comes_out_however_the_stream_is_cut(name: str, content: bytes, cut: int) -> None:
    compression, pack = PACKERS[name]
    packed = pack(content)
    assert unpack(compression, packed, cut) == content
    if compression != "none":
        assert find_compression(packed) == compression


@pytest.mark.parametrize("name", [name for name in PACKERS if name != "plain"])
@given(content=st.binary(min_size=20, max_size=300), data=st.data())
def test_a_broken_or_cut_file_is_refused_or_read_as_it_was(name: str, content: bytes, data: st.DataObject) -> None:
    compression, pack = PACKERS[name]
    packed = bytearray(pack(content))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    del packed[data.draw(st.integers(place, len(packed))) :]
    with suppress(InvalidInput):
        unpack(compression, bytes(packed), 50)


def test_a_large_file_comes_in_pieces() -> None:
    content = bytes(range(256)) * 10_000
    for compression, pack in PACKERS.values():
        if compression != "none":
            assert unpack(compression, pack(content)) == content


@pytest.mark.parametrize("name", [name for name in PACKERS if name not in {"plain", "zip, stored"}])
def test_a_bomb_is_stopped_early(name: str) -> None:
    compression, pack = PACKERS[name]
    packed = pack(bytes(40_000_000))
    with pytest.raises(InvalidInput, match="times as large"):
        unpack(compression, packed)
    with pytest.raises(InvalidInput, match="larger than 9,000,000 bytes"):
        unpack(compression, packed, bounds=Bounds(9_000_000, 10**9))


def test_an_archive_holds_one_file_and_what_macos_adds() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("members.csv", b"email\n")
        archive.writestr("__MACOSX/._members.csv", b"finder's")
    assert unpack("zip", out.getvalue()) == b"email\n"
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("others.csv", b"email\n")
    two = io.BytesIO()
    with zipfile.ZipFile(two, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"email\n")
        archive.writestr("b.csv", b"email\n")
    with pytest.raises(InvalidInput, match="more than one file"):
        unpack("zip", two.getvalue())


def test_a_workbook_a_folder_and_another_packing_are_named_for_what_they_are() -> None:
    with pytest.raises(InvalidInput, match="Excel workbook"):
        unpack("zip", zipped(b"<xml/>", "[Content_Types].xml"))
    with pytest.raises(InvalidInput, match="folder"):
        unpack("zip", zipped(b"", "members/"))
    with pytest.raises(InvalidInput, match="use deflate"):
        unpack("zip", zipped(b"email\n", method=zipfile.ZIP_LZMA))
    with pytest.raises(InvalidInput, match="zstd"):
        find_compression(b"\x28\xb5\x2f\xfd" + bytes(10))


def test_the_checksum_in_an_archive_is_compared() -> None:
    packed = bytearray(zipped(b"email\n", method=zipfile.ZIP_STORED))
    packed[14:18] = (zlib.crc32(b"email\n") ^ 1).to_bytes(4, "little")
    with pytest.raises(InvalidInput, match="damaged"):
        unpack("zip", bytes(packed))
