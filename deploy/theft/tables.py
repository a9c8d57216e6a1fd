"""The tables in a plain dump by pg_dump, and what their binary columns hold. Pure.

A dump spells binary columns in hex: what stands in them in yet another encoding is found only when they are undone.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_COPY = re.compile(rb'COPY ([\w."]+) \(([^)]*)\) FROM stdin;\s*')
_HEX = re.compile(rb"\\\\x((?:[0-9a-f]{2})+)")
_END = rb"\."


class Row(NamedTuple):
    """One row of a table: its columns' texts as COPY writes them, by name."""

    table: str
    columns: dict[str, bytes]


def rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """Give out every row of every table in a plain dump."""
    table: str | None = None
    names: list[str] = []
    for line in lines:
        if table is None:
            found = _COPY.fullmatch(line)
            if found:
                table = found[1].decode().replace('"', "")
                names = [name.strip().strip('"') for name in found[2].decode().split(",")]
        elif line.rstrip(b"\r\n") == _END:
            table = None
        else:
            yield Row(table, dict(zip(names, line.rstrip(b"\n").split(b"\t"), strict=False)))


def binary(text: bytes) -> bytes | None:
    """Return the bytes of a binary column, None for any other."""
    found = _HEX.fullmatch(text)
    return bytes.fromhex(found[1].decode()) if found else None


def undone(line: bytes) -> bytes:
    r"""Return what a line's binary columns hold, apart from each other; empty if there are none."""
    return b"\0\n\0".join(bytes.fromhex(found.decode()) for found in _HEX.findall(line))
