"""What is written as binary COPY is what Postgres' manual says, and what members/scan.py reads."""

from datetime import UTC, datetime
from struct import unpack_from

from hypothesis import given
from hypothesis import strategies as st

from members.binary_copy import HEADER, NULL, TRAILER, field, fields, integer, stream, timestamp


def read(content: bytes) -> list[list[bytes | None]]:
    """Read a stream as the manual describes it."""
    assert content.startswith(b"PGCOPY\n\xff\r\n\0" + b"\0\0\0\0" + b"\0\0\0\0")
    at, rows = len(HEADER), []
    while (number := unpack_from(">h", content, at)[0]) != -1:
        at += 2
        row: list[bytes | None] = []
        for _ in range(number):
            size = unpack_from(">i", content, at)[0]
            at += 4
            row.append(None if size < 0 else content[at : at + size])
            at += max(size, 0)
        rows.append(row)
    assert content[at:] == TRAILER
    return rows


@given(shared=st.binary(max_size=40), own=st.lists(st.binary(max_size=40), max_size=5))
async def test_every_row_has_what_all_share_and_its_own(shared: bytes, own: list[bytes]) -> None:
    same = fields(3) + field(shared) + NULL
    (piece,) = [part async for part in stream(same, map(field, own))]
    assert read(piece) == [[shared, None, content] for content in own]


def test_numbers_and_times_are_written_as_postgres_sends_them() -> None:
    assert integer(-2) == b"\0\0\0\x04\xff\xff\xff\xfe"
    assert timestamp(datetime(2000, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == b"\0\0\0\x08" + (1_000_005).to_bytes(8, "big")
    assert timestamp(datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)) == b"\0\0\0\x08" + (-1_000_000).to_bytes(
        8, "big", signed=True
    )
