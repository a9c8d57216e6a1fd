"""Reads what was stolen, piece by piece: dumps of any form, logs, recorded wires, whole directories of them.

A dump is read by table, in text as it stands and with its binary columns undone; a compressed one is opened first.
Nothing is held but one piece.
"""

import gzip
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from core.errors import ConfigurationError
from deploy.postgres import client
from deploy.theft import tables

PIECE = 1 << 20
_ARCHIVE = b"PGDMP"
_GZIP = b"\x1f\x8b"
_PLAIN_DUMP = b"-- PostgreSQL database dump"
_COPY = b"COPY "


class Piece(NamedTuple):
    """Some bytes of a place. `ends_apart`: nothing goes on from this piece into the next one of the same place."""

    where: str
    content: bytes
    ends_apart: bool


def files(paths: Iterable[Path]) -> list[Path]:
    """Return every file among paths and below them; ConfigurationError for a path that is not there, or no file."""
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ConfigurationError(f"There is no {path}")
        found += [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return found


def pieces(path: Path) -> Iterator[Piece]:
    """Give out a file's content; its place is named by the file and the directory that it stands in."""
    name = f"{path.parent.name}/{path.name}"
    with opened(path) as (file, is_dump):
        if is_dump:
            yield from _of_dump(name, file)
        else:
            while content := file.read(PIECE):
                yield Piece(name, content, ends_apart=False)


def dumped_rows(paths: Iterable[Path]) -> Iterator[tables.Row]:
    """Give out every row of every dump among paths and below them; other files are passed over."""
    for path in files(paths):
        with opened(path) as (file, is_dump):
            if is_dump:
                yield from tables.rows(file)


@contextmanager
def opened(path: Path) -> Iterator[tuple[IO[bytes], bool]]:
    """Open a file for reading what is in it, and say whether that is a plain dump of a database."""
    with path.open("rb") as file:
        head = file.read(256)
        file.seek(0)
        if head.startswith(_ARCHIVE):
            with client.start("pg_restore", "--file=-", str(path)) as process:
                if process.stdout is None:
                    raise RuntimeError("pg_restore has no output")
                yield process.stdout, True
        elif head.startswith(_GZIP):
            with io.BufferedReader(gzip.GzipFile(fileobj=file)) as unpacked:
                yield unpacked, _PLAIN_DUMP in unpacked.peek(256)
        else:
            yield file, _PLAIN_DUMP in head


def _of_dump(name: str, lines: Iterable[bytes]) -> Iterator[Piece]:
    where, batch, size = name, list[bytes](), 0
    for line in lines:
        if line.startswith(_COPY) or size >= PIECE:
            yield Piece(where, b"".join(batch), ends_apart=True)
            batch, size = [], 0
            if line.startswith(_COPY):
                where = f"{name}: {line.split()[1].decode(errors='replace')}"
        for form in (line, *_other_forms(line)):
            batch.append(form)
            size += len(form)
    yield Piece(where, b"".join(batch), ends_apart=True)


def _other_forms(line: bytes) -> Iterator[bytes]:
    if b"\\" in line:
        yield line.replace(b"\\\\", b"\\")
        yield tables.undone(line) + b"\n"
