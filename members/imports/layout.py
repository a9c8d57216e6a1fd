"""What a format has to offer to the import: records become rows, rejects become lines of the reject file."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from members.imports.columns import Column, Reject, Row
from members.imports.records import Record


class Layout(Protocol):
    """How the records of one file are to be understood."""

    @property
    def reject_header(self) -> bytes:
        """What stands in front of the reject file's lines."""

    def columns(self, records: Iterable[Record]) -> list[Column]:
        """Return the columns of the file, as far as these first records show them."""

    def read(self, record: Record) -> Row | Reject:
        """Read one record; its first fault is the reason of a reject."""

    def read_all(self, records: Sequence[Record]) -> tuple[list[Row], list[Reject]]:
        """Read many; return rows and rejects, each in the order of the file."""

    def reject_lines(self, rejects: Iterable[Reject]) -> bytes:
        """Return a line for each reject."""


def read_each(read: Callable[[Record], Row | Reject], records: Iterable[Record]) -> tuple[list[Row], list[Reject]]:
    """Read one record after the other; return rows and rejects, each in the order of the file."""
    rows: list[Row] = []
    rejects: list[Reject] = []
    for record in records:
        made = read(record)
        if isinstance(made, Row):
            rows.append(made)
        else:
            rejects.append(made)
    return rows, rejects


def names_of(columns: Sequence[Column]) -> set[str]:
    """Return what the columns become: `email` and attributes."""
    return {column.target for column in columns if column.target is not None}
