"""An uploaded file as a stream of records: what it is (encoding, delimiter, header, size), then batch after batch."""

import asyncio
import codecs
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import Any

from core.errors import InvalidInput
from members.imports.encoding import ON_ERROR, Detector, find_delimiter
from members.imports.file import SealedFile
from members.imports.options import ENCODINGS, Options
from members.imports.records import Record, RecordReader

_MAX_HEADER = 100_000


@dataclass(frozen=True, slots=True)
class Found:
    """How to read the file. `rows`: its records without the header."""

    encoding: str
    delimiter: str
    rows: int

    def to_json(self) -> dict[str, Any]:
        """Return what is kept for a resumed run."""
        return {"encoding": self.encoding, "delimiter": self.delimiter, "rows": self.rows}


async def examine(file: SealedFile, options: Options) -> Found:
    """Read the file for its encoding as far as that takes, then for its number of rows, in constant memory."""
    encoding = options.encoding or await _encoding(file)
    delimiter = options.delimiter or find_delimiter(await _first_line(file, encoding))
    rows = 0
    async with aclosing(batches(file, Found(encoding, delimiter, 0), 1000)) as parts:
        async for part in parts:
            rows += len(part)
            await asyncio.sleep(0)
    return Found(encoding, delimiter, max(rows - 1, 0))


async def header(file: SealedFile, found: Found) -> list[str]:
    """Return the titles of the columns; raise InvalidInput if the file has none that can be read."""
    async with aclosing(batches(file, found, 1)) as parts:
        async for part in parts:
            if part[0].fault is None:
                return part[0].fields
            break
    raise InvalidInput("The file has no header line that can be read")


async def batches(file: SealedFile, found: Found, size: int, skip: int = 0) -> AsyncGenerator[list[Record], None]:
    """Give out the file's records, header first, in lists of `size`; the first `skip` records are passed over.

    The next block is fetched while this one is worked on.
    """
    decoder = codecs.getincrementaldecoder(ENCODINGS[found.encoding])(ON_ERROR)
    reader = RecordReader(found.delimiter)
    batch: list[Record] = []
    no = 0
    fetching = asyncio.ensure_future(file.block(0))
    try:
        while (block := await fetching) is not None:
            no += 1
            fetching = asyncio.ensure_future(file.block(no))
            records = reader.feed(decoder.decode(block))
            while more := list(islice(records, size - len(batch))):
                batch += more
                if len(batch) == size:
                    if skip < size:
                        yield batch[skip:]
                    skip = max(skip - size, 0)
                    batch = []
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
    for records in (reader.feed(decoder.decode(b"", final=True)), reader.close()):
        batch += records
    for start in range(0, len(batch), size):
        part = batch[start : start + size]
        if skip < len(part):
            yield part[skip:]
        skip = max(skip - size, 0)


async def _encoding(file: SealedFile) -> str:
    detector = Detector()
    no = 0
    while (block := await file.block(no)) is not None:
        if not detector.see(block):
            break
        no += 1
        await asyncio.sleep(0)
    return detector.encoding()


async def _first_line(file: SealedFile, encoding: str) -> str:
    block = await file.block(0) or b""
    decoder = codecs.getincrementaldecoder(ENCODINGS[encoding])(ON_ERROR)
    return decoder.decode(block)[:_MAX_HEADER].lstrip("\r\n").partition("\n")[0]
