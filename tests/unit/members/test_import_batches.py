"""Batches of a file are bounded by rows and by bytes, and a resumed file goes on at the very next record."""

from collections.abc import Sequence

import pytest

from members.imports.compression import Bounds
from members.imports.options import Options
from members.imports.reading import batches, examine

BOUNDS = Bounds(size=50_000_000, ratio=200)
BLOCK = 1_000_000


class Blocks:
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def block(self, no: int) -> bytes | None:
        return self._content[no * BLOCK : (no + 1) * BLOCK] or None


async def read(content: bytes, size: int, skip: int = 0) -> Sequence[Sequence[str]]:
    """Return the first field of each record, batch by batch."""
    file = Blocks(content)
    found = await examine(file, Options(), BOUNDS)
    return [[record.fields[0] for record in part] async for part in batches(file, found, BOUNDS, size, skip=skip)]


def content(rows: int, width: int) -> bytes:
    return b"email,name\n" + b"".join(b"m%d@example.jp,%s\n" % (number, b"x" * width) for number in range(rows))


async def test_batches_hold_so_many_records_and_wide_ones_fewer() -> None:
    assert [len(part) for part in await read(content(10, 10), 4)] == [4, 4, 3]
    wide = await read(content(100, 90_000), 1000)
    assert sum(map(len, wide)) == 101
    assert max(map(len, wide)) * 90_000 < 2_200_000


@pytest.mark.parametrize("width", [10, 90_000])
async def test_whatever_was_done_a_resumed_file_goes_on_behind_it(width: int) -> None:
    file = content(100, width)
    everything = [field for part in await read(file, 30) for field in part]
    assert len(everything) == 101
    for skip in (1, 22, 23, 30, 31, 100, 101):
        assert [field for part in await read(file, 30, skip) for field in part] == everything[skip:]
