"""An uploaded file as a stream of records: first what it is (packing, format, encoding), then batch after batch."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Protocol

from core.errors import InvalidInput
from members.attribute import Definitions
from members.imports.compression import Bounds, Compression, Unpacker, find_compression
from members.imports.encoding import Decoder, Detector, find_delimiter
from members.imports.layout import Layout
from members.imports.objects import LineReader, ObjectLayout
from members.imports.options import Format, Options
from members.imports.records import Record, RecordReader
from members.imports.sheet import SheetLayout
from members.imports.turns import give_way

_MAX_HEADER = 100_000
_ENOUGH = 1000
"""Bytes of a file's beginning that tell how it is packed and what it holds."""
_BATCH_BYTES = 2_000_000
_PART = 1 << 16
"""Bytes that are taken apart between two turns of the event loop: a millisecond or two."""


class Blocks(Protocol):
    """A file's blocks: 1 byte to 1 MiB each, by number from 0."""

    async def block(self, no: int) -> bytes | None:
        """Return one, None past the end."""


@dataclass(frozen=True, slots=True)
class Found:
    """How to read the file. `rows`: about how many records it has, counted by its line breaks."""

    encoding: str
    delimiter: str
    rows: int
    format: Format = "csv"
    compression: Compression = "none"

    def to_json(self) -> dict[str, Any]:
        """Return what is kept for a resumed run."""
        return asdict(self)


async def examine(file: Blocks, options: Options, bounds: Bounds) -> Found:
    """Read the whole file once: find out what it is, and that it unpacks within bounds. Constant memory."""
    compression = options.compression or find_compression(await _beginning(file))
    detector, lines, head = Detector(), 0, b""
    doubtful, piece = True, b"\n"
    async with aclosing(_pieces(file, compression, bounds)) as pieces:
        async for piece in pieces:
            doubtful = doubtful and detector.see(piece)
            lines += piece.count(b"\n")
            if len(head) < _MAX_HEADER:
                head += piece[:_MAX_HEADER]
            await asyncio.sleep(0)
    lines += not piece.rstrip(b"\0").endswith(b"\n")
    encoding = options.encoding or detector.encoding()
    text = Decoder(encoding).decode(head, final=True).lstrip("\r\n")
    format_: Format = options.format or ("jsonl" if text.lstrip().startswith("{") else "csv")
    delimiter = options.delimiter or find_delimiter(text.partition("\n")[0])
    return Found(encoding, delimiter, max(lines - (format_ == "csv"), 0), format_, compression)


async def first_records(file: Blocks, found: Found, bounds: Bounds, most: int) -> list[Record]:
    """Return the first records of the file, the header too."""
    async with aclosing(batches(file, found, bounds, most)) as parts:
        async for part in parts:
            return part
    return []


def layout_of(
    found: Found, first: Sequence[Record], mapping: Mapping[str, str], definitions: Definitions, zone: str
) -> Layout:
    """Return how the file's records are to be understood. Raises InvalidInput if its columns do not fit."""
    if found.format == "jsonl":
        return ObjectLayout(mapping, definitions, zone)
    if not first or first[0].fault is not None:
        raise InvalidInput("The file has no header line that can be read")
    return SheetLayout(first[0].fields, mapping, definitions, zone)


def titles(found: Found) -> int:
    """Return how many of the file's first records are no rows."""
    return 1 if found.format == "csv" else 0


async def batches(
    file: Blocks, found: Found, bounds: Bounds, size: int, skip: int = 0
) -> AsyncGenerator[list[Record], None]:
    """Give out the file's records, header first, in lists of `size`; the first `skip` records are passed over.

    A list of less than `size` ends where it comes from 2 MB of the file, so that wide rows fill no memory.
    """
    decoder = Decoder(found.encoding)
    reader: RecordReader | LineReader = LineReader() if found.format == "jsonl" else RecordReader(found.delimiter)
    batch: list[Record] = []
    weight = 0
    async with aclosing(_pieces(file, found.compression, bounds)) as pieces:
        async for piece in pieces:
            for start in range(0, len(piece), _PART):
                part = piece[start : start + _PART]
                weight += len(part)
                records = reader.feed(decoder.decode(part))
                while more := list(islice(records, size - len(batch))):
                    batch += more
                    if len(batch) == size or weight >= _BATCH_BYTES:
                        if skip < len(batch):
                            yield batch[skip:]
                        skip = max(skip - len(batch), 0)
                        batch, weight = [], 0
                await give_way()
    for records in (reader.feed(decoder.decode(b"", final=True)), reader.close()):
        batch += records
    for start in range(0, len(batch), size):
        last = batch[start : start + size]
        if skip < len(last):
            yield last[skip:]
        skip = max(skip - size, 0)


async def _pieces(file: Blocks, compression: Compression, bounds: Bounds) -> AsyncGenerator[bytes, None]:
    """Give out the file's bytes, unpacked. The next block is fetched while this one is worked on."""
    unpacker = Unpacker(compression, bounds)
    no = 0
    fetching = asyncio.ensure_future(file.block(0))
    try:
        while (block := await fetching) is not None:
            no += 1
            fetching = asyncio.ensure_future(file.block(no))
            for piece in unpacker.feed(block):
                yield piece
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
    unpacker.close()


async def _beginning(file: Blocks) -> bytes:
    head, no = b"", 0
    while len(head) < _ENOUGH and (block := await file.block(no)) is not None:
        head, no = head + block, no + 1
    return head
