"""Postgres' binary COPY: how a stream is framed and its fields are written (manual, chapter COPY, "Binary Format").

    stream = HEADER | row … | TRAILER
    row    = number of fields (2 bytes) | of each: length, or -1 for null (4) | bytes

Who writes many rows makes what is the same for all of them once, in front of each row's own fields: `stream` joins
them in one step. Postgres checks what it reads: a stream that is wrongly made fails whole.
"""

from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from struct import Struct

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""Signature, no flags, no extension."""
TRAILER = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
"""A field that is null, its length included."""

_FIELDS = Struct(">h")
_LENGTH = Struct(">i")
_INTEGER = Struct(">ii")
_TIMESTAMP = Struct(">iq")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def fields(number: int) -> bytes:
    """Begin a row of so many fields."""
    return _FIELDS.pack(number)


def length(size: int) -> bytes:
    """Begin a field of so many bytes."""
    return _LENGTH.pack(size)


def field(content: bytes) -> bytes:
    """Write a bytea, a text in UTF-8 or the 16 bytes of a uuid."""
    return _LENGTH.pack(len(content)) + content


def integer(value: int) -> bytes:
    """Write an integer of 4 bytes."""
    return _INTEGER.pack(_INTEGER.size - _LENGTH.size, value)


def timestamp(moment: datetime) -> bytes:
    """Write a timestamptz: microseconds since 2000; `moment` is aware."""
    return _TIMESTAMP.pack(_TIMESTAMP.size - _LENGTH.size, (moment - _EPOCH) // _MICROSECOND)


async def stream(same: bytes, rows: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Give out rows, each of which begins with the same bytes, as one piece: asyncpg takes bytes for a file's name."""
    yield same.join((HEADER, *rows)) + TRAILER
