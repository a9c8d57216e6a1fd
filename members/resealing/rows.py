"""Rows of members in binary COPY: those that lag behind as they are read, and what they become as it is written.

    lagging = member_id | revision | key_place | generation | ring_version | wrapped | sealed | facets
    renewed = member_id | revision | key_place | sealed | wrapped | facets | hmacs

What both begin with is passed on as it came. A null stands for what stays as it is.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import TypeAlias

from members.binary_copy import HEADER, NULL, TRAILER, field, fields, length

Lagging: TypeAlias = tuple[bytes, bytes, int, int, bytes, bytes, bytes | None]
"""What is passed on (the first three fields as they came), the member's id (16 bytes), its generation, the ring version
of its key (0: the key is gone), the wrapped key, the sealed profile, its facets as JSON (None: they are not read)."""

# Of a row: number of fields; length and bytes of member_id, revision, key_place, generation, ring_version; length of
# wrapped.
_HEAD = Struct(">6x16s8x10x4xi4xii")
_LENGTH = Struct(">i")
_OWN = slice(2, 40)
_JSONB = b"\1"
"""The version of jsonb's binary form; the text follows."""

RENEWED = ("member_id", "revision", "key_place", "sealed", "wrapped", "facets", "hmacs")
SAME = fields(len(RENEWED))
"""What each renewed row begins with."""

_BYTEA = 17
_ARRAY = Struct(">iiiii")


def read(block: bytes, *, first: bool) -> Iterator[Lagging]:
    """Read the rows of a block; it holds whole ones, as asyncpg joins whole messages. `first`: the stream begins."""
    at, end = len(HEADER) if first else 0, len(block) - len(TRAILER)
    while at < end:
        member_id, generation, version, size = _HEAD.unpack_from(block, at)
        own = block[at + _OWN.start : at + _OWN.stop]
        start = at + _HEAD.size
        wrapped = block[start : start + size]
        start += size + _LENGTH.size
        (size,) = _LENGTH.unpack_from(block, start - _LENGTH.size)
        sealed = block[start : start + size]
        at = start + size + _LENGTH.size
        (size,) = _LENGTH.unpack_from(block, at - _LENGTH.size)
        facets = None
        if size >= 0:
            facets = block[at + len(_JSONB) : at + size]
            at += size
        yield own, member_id, generation, version, wrapped, sealed, facets


def renewed(own: bytes, sealed: bytes | None, wrapped: bytes | None, facets: bytes | None, hmacs: bytes) -> bytes:
    """Write what a member becomes; `own` as it was read, `hmacs` as `array` writes them or null."""
    return b"".join(
        (
            own,
            NULL if sealed is None else field(sealed),
            NULL if wrapped is None else field(wrapped),
            NULL if facets is None else field(_JSONB + facets),
            hmacs,
        )
    )


def array(items: Sequence[bytes]) -> bytes:
    """Write a bytea[] without nulls: dimensions, no nulls, type, length, first index (array_send in arrayfuncs.c)."""
    content = _ARRAY.pack(1, 0, _BYTEA, len(items), 1) + b"".join(map(field, items))
    return length(len(content)) + content
