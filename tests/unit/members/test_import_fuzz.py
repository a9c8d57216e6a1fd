"""Malformed files: none crashes the reader, each record becomes a row or a reject with a reason."""

import csv
import io
from collections.abc import Sequence
from uuid import UUID

import orjson
import pytest

from core.errors import InvalidInput
from members.attribute import Attribute, AttributeType, Choice, Definitions
from members.imports.columns import Reject, Row
from members.imports.compression import Bounds
from members.imports.options import Options
from members.imports.reading import batches, examine, first_records, layout_of, titles
from tests.support.malformed import malformed

BOUNDS = Bounds(size=50_000_000, ratio=200)
TYPES: dict[str, AttributeType] = {
    "name": "text",
    "age": "number",
    "vip": "boolean",
    "joined": "date",
    "met": "datetime",
    "city": "choice",
    "tags": "tags",
}


def attribute(name: str, kind: AttributeType) -> Attribute:
    choices = (Choice("1", {}),) if kind == "choice" else ()
    return Attribute(UUID(int=1), name, name, kind, "sealed", {}, choices, False, False, False, 1)


DEFINITIONS = Definitions(attribute(name, kind) for name, kind in TYPES.items())


class Blocks:
    def __init__(self, blocks: Sequence[bytes]) -> None:
        self._blocks = blocks

    async def block(self, no: int) -> bytes | None:
        return self._blocks[no] if no < len(self._blocks) else None


async def read(blocks: Sequence[bytes]) -> str:
    """Read a file as a run does; return what became of it."""
    file = Blocks(blocks)
    try:
        found = await examine(file, Options(), BOUNDS)
        first = await first_records(file, found, BOUNDS, 5)
        layout = layout_of(found, first, {}, DEFINITIONS, "Asia/Tokyo")
    except InvalidInput as error:
        return "refused" if error.detail else "refused without a word"
    rows: list[Row] = []
    rejects: list[Reject] = []
    records = 0
    async for part in batches(file, found, BOUNDS, 3, skip=titles(found)):
        good, bad = layout.read_all(part)
        rows, rejects, records = rows + good, rejects + bad, records + len(part)
    assert len(rows) + len(rejects) == records
    assert all(reject.reason for reject in rejects)
    assert all(row.address.key for row in rows)
    written = layout.reject_lines(rejects).decode()
    if found.format == "jsonl":
        told = [orjson.loads(line)["reason"] for line in written.splitlines()]
    else:
        told = [line[-1] for line in csv.reader(io.StringIO(written, newline=""))]
    assert told == [reject.reason for reject in rejects]
    return "taken" if rows and not rejects else "mixed" if rows else "rejected"


async def through(seeds: range) -> None:
    ends = {}
    for seed in seeds:
        try:
            end = await read(malformed(seed))
        except Exception as error:
            raise AssertionError(f"File {seed} breaks the reader") from error
        ends[end] = ends.get(end, 0) + 1
    # The generator is worth something only if all of this happens.
    assert ends.keys() == {"refused", "taken", "mixed", "rejected"}, ends


async def test_no_malformed_file_breaks_the_reader() -> None:
    await through(range(3_000))


@pytest.mark.chaos
async def test_no_malformed_file_of_very_many_breaks_the_reader() -> None:
    await through(range(3_000, 110_000))
