"""CSV: rows out of its records by the header's columns, and its reject file: the same columns, then line and reason."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from members.addresses import Address, parse, parse_plain
from members.attribute import Definitions
from members.cells import Reader, reader
from members.errors import BadAddress, WrongValue
from members.formulas import disarm, rearm
from members.imports.columns import EMAIL, Column, Reject, Row, resolve
from members.imports.records import Record
from members.imports.rejects import decoded
from members.profile import Value

_REMEMBERED = 4096
"""Cells of a column whose value is kept: prefectures, ages and dates repeat down a file, names hardly do."""


class _Target(NamedTuple):
    """A column that becomes an attribute. `known`: values of cells that were read already."""

    number: int
    key: str
    name: str
    read: Reader
    known: dict[str, Value]


class SheetLayout:
    """Makes rows of records, and lines of the reject file. Raises InvalidInput as `resolve` does."""

    def __init__(self, header: Sequence[str], mapping: Mapping[str, str], definitions: Definitions, zone: str) -> None:
        columns = resolve(header, mapping, definitions)
        self._header = header
        self._width = len(header)
        self._email = next(number for number, target in columns.items() if target == EMAIL)
        self._targets = [
            _Target(number, target, definitions[target].name, reader(definitions[target], ZoneInfo(zone)), {})
            for number, target in columns.items()
            if target != EMAIL
        ]
        self._columns = [Column(title, columns.get(number)) for number, title in enumerate(header)]
        self.reject_header = _written([[*header, "line", "reason"]])

    def columns(self, _records: Iterable[Record]) -> list[Column]:
        """Return the columns of the header and what each becomes."""
        return self._columns

    def read(self, record: Record) -> Row | Reject:
        """Read one record; its first fault is the reason of a reject. Empty cells bring no value."""
        fields = record.fields
        if record.fault is not None:
            return Reject(record, record.fault)
        if len(fields) < self._width:
            fields = fields + [""] * (self._width - len(fields))
        elif len(fields) > self._width:
            return Reject(record, "More fields than the header has columns")
        try:
            address = parse_plain(fields[self._email]) or _parse_cell(fields[self._email])
        except BadAddress as error:
            return Reject(record, f"email: {error.detail}", error.code, "/email")
        values: dict[str, Value] = {}
        for target in self._targets:
            cell = fields[target.number]
            if cell:
                value: Value | WrongValue | None = target.known.get(cell)
                if value is None and (value := _read_cell(target, cell)) is None:
                    continue
                if isinstance(value, WrongValue):
                    return Reject(record, f"{target.name}: {value.detail}")
                values[target.key] = value
        return Row(record, address, values)

    def reject_lines(self, rejects: Iterable[Reject]) -> bytes:
        """Return a line for each reject, brought to the header's width so that line and reason stand in theirs."""
        return _written(
            [*_fitted(reject.record.fields, self._width), str(reject.record.line), reject.reason] for reject in rejects
        )


def _read_cell(target: _Target, cell: str) -> Value | WrongValue | None:
    """Return a cell's value, None if it is empty, or what is wrong with it."""
    stripped = cell.strip()
    if not stripped:
        return None
    try:
        value = target.read(rearm(stripped))
    except WrongValue as error:
        return error
    if value == []:
        return None
    if len(target.known) < _REMEMBERED:
        target.known[cell] = value
    return value


def _parse_cell(cell: str) -> Address:
    cell = rearm(cell.strip())
    if not cell:
        raise BadAddress("The address is missing")
    return parse(cell)


def _fitted(fields: list[str], width: int) -> list[str]:
    # What is too much goes into the last column, to be seen there.
    padded = [*fields, *[""] * (width - len(fields))]
    return [*padded[: width - 1], ",".join(padded[width - 1 :])]


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([disarm(decoded(cell)) for cell in row] for row in rows)
    return out.getvalue().encode()
