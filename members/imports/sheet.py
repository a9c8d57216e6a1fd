"""CSV: rows out of its records by the header's columns, and its reject file: the same columns, then line and reason."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from members.addresses import Address, parse, parse_plain, parse_plain_all
from members.attribute import Definitions
from members.cells import Reader, reader
from members.errors import BadAddress, WrongValue
from members.formulas import disarm, rearm
from members.imports.columns import EMAIL, Column, Reject, Row, resolve
from members.imports.layout import read_each
from members.imports.records import Record
from members.imports.rejects import decoded
from members.profile import Value

_REMEMBERED = 65_536
"""Cells, of all columns together, whose values are kept: cities, ages and dates repeat down a file, names hardly do."""
_REMEMBERED_LENGTH = 64
"""Longer ones, which might fill the memory, are read each time."""

_NOTHING: frozenset[Any] = frozenset()


class _Target(NamedTuple):
    """A column that becomes an attribute. `known`: values of cells that were read already, `most` of them."""

    number: int
    key: str
    name: str
    read: Reader
    known: dict[str, Value]
    most: int


class SheetLayout:
    """Makes rows of records, and lines of the reject file. Raises InvalidInput as `resolve` does."""

    def __init__(self, header: Sequence[str], mapping: Mapping[str, str], definitions: Definitions, zone: str) -> None:
        columns = resolve(header, mapping, definitions)
        self._header = header
        self._width = len(header)
        self._email = next(number for number, target in columns.items() if target == EMAIL)
        most = _REMEMBERED // len(columns)
        self._targets = [
            _Target(number, key, definitions[key].name, reader(definitions[key], ZoneInfo(zone)), {}, most)
            for number, key in columns.items()
            if key != EMAIL
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

    def read_all(self, records: Sequence[Record]) -> tuple[list[Row], list[Reject]]:
        """Read many, column by column; one that anything is odd about is read for itself, by `read`."""
        whole: list[Record] = []
        odd: list[Record] = []
        for record in records:
            (whole if record.fault is None and len(record.fields) == self._width else odd).append(record)
        cells = list(zip(*[record.fields for record in whole], strict=True)) or [()] * self._width
        addresses = parse_plain_all(cells[self._email])
        columns = [_read_column(target, cells[target.number]) for target in self._targets]
        gaps = any(None in column for column, known in columns if not known)
        wrong = any(WrongValue in map(type, column) for column, known in columns if not known)
        # An empty tuple each where the address is all that is read.
        found = zip(*(column for column, _ in columns), strict=True) if columns else repeat((), len(whole))
        values = list(map(dict, map(zip, repeat([target.key for target in self._targets]), found)))
        if gaps:
            values = [{key: value for key, value in own.items() if value is not None} for own in values]
        rows, new = [], tuple.__new__  # a third of what a NamedTuple's own takes
        for record, address, own in zip(whole, addresses, values, strict=True):
            if address is None or (wrong and WrongValue in map(type, own.values())):
                odd.append(record)
            else:
                rows.append(new(Row, (record, address, own, _NOTHING, _NOTHING)))
        others, rejects = read_each(self.read, sorted(odd, key=_line))
        return sorted((*rows, *others), key=_line) if others else rows, rejects

    def reject_lines(self, rejects: Iterable[Reject]) -> bytes:
        """Return a line for each reject, brought to the header's width so that line and reason stand in theirs."""
        return _written(
            [*_fitted(reject.record.fields, self._width), str(reject.record.line), reject.reason] for reject in rejects
        )


def _read_column(target: _Target, cells: Sequence[str]) -> tuple[Sequence[Value | WrongValue | None], bool]:
    """Return what `_read_cell` does of each cell, and whether all of them are known: then none is empty or wrong."""
    try:
        return list(map(target.known.__getitem__, cells)), True
    except KeyError:
        values = map(target.known.get, cells)
    own = zip(cells, values, strict=True)
    return [_read_cell(target, cell) if value is None and cell else value for cell, value in own], False


def _line(read: Record | Row) -> int:
    return read.line if isinstance(read, Record) else read.record.line


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
    if len(target.known) < target.most and len(cell) <= _REMEMBERED_LENGTH:
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
