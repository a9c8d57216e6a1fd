"""Which column of a file becomes what: the header, the mapping, and one row made of a record."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from core.errors import Fault, InvalidInput
from members.addresses import Address, parse, parse_plain
from members.attribute import Definitions
from members.cells import Reader, reader
from members.errors import BadAddress, WrongValue
from members.imports.records import Record
from members.profile import Value

EMAIL = "email"
MAX_COLUMNS = 1000
_GUARDED = ("'=", "'+", "'-", "'@", "'\t")


class Row(NamedTuple):
    """A record that can be merged."""

    record: Record
    address: Address
    values: dict[str, Value]

    def __repr__(self) -> str:
        """Name the line alone: a repr ends up in logs."""
        return f"Row({self.record.line})"


class Reject(NamedTuple):
    """A record that can't, and why."""

    record: Record
    reason: str


def check_mapping(mapping: Mapping[str, str], definitions: Definitions) -> None:
    """Raise InvalidInput with a fault `/mapping/<column>` for each wrong target."""
    faults = []
    targets = [_key(target, definitions) for target in mapping.values()]
    for column, target in zip(mapping, targets, strict=True):
        pointer = "/mapping/" + column.replace("~", "~0").replace("/", "~1")
        if target != EMAIL and target not in definitions:
            faults.append(Fault(pointer, "unknown-attribute", "email, or the name of an attribute"))
        elif targets.count(target) > 1:
            faults.append(Fault(pointer, "duplicate-target", "Two columns become the same attribute"))
    if mapping and EMAIL not in targets:
        faults.append(Fault("/mapping", "no-email", "One column must become email"))
    if faults:
        raise InvalidInput("The mapping can't be applied", faults)


def resolve(header: Sequence[str], mapping: Mapping[str, str], definitions: Definitions) -> dict[int, str]:
    """Return `email` or an attribute's key by column number; columns that are named nowhere are ignored.

    Without a mapping, columns named `email` or like an attribute, by any of its names, are taken. Raises InvalidInput
    if a mapped column is missing or stands twice, or if none becomes the address. Texts of the file are not repeated in
    it: a file without a header begins with a member.
    """
    if len(header) > MAX_COLUMNS:
        raise InvalidInput(f"The file has more than {MAX_COLUMNS} columns")
    named = {column: _key(target, definitions) for column, target in mapping.items()}
    wanted = {_folded(column): target for column, target in (named or {EMAIL: EMAIL, **definitions.names}).items()}
    found = {number: wanted[_folded(title)] for number, title in enumerate(header) if _folded(title) in wanted}
    targets = list(found.values())
    faults = [
        Fault(f"/mapping/{column.replace('~', '~0').replace('/', '~1')}", "no-column", "The file has no such column")
        for column, target in named.items()
        if target not in targets
    ]
    if len(set(targets)) < len(targets):
        faults.append(Fault("/file", "duplicate-column", "A column stands twice in the header"))
    if not mapping and EMAIL not in targets:
        faults.append(Fault("/file", "no-email", "The header has no column email: name the columns by a mapping"))
    if faults:
        raise InvalidInput("The file's columns do not fit", faults)
    return found


def _key(target: str, definitions: Definitions) -> str:
    # Of an attribute that isn't there, or was removed since, the name itself: no key is like it.
    attribute = definitions.named(target)
    return target if attribute is None else attribute.key


def _folded(title: str) -> str:
    return unicodedata.normalize("NFKC", title).strip().strip("\ufeff").casefold()


@dataclass(frozen=True, slots=True)
class _Column:
    number: int
    key: str
    name: str
    read: Reader


class RowReader:
    """Makes rows of records by the file's columns."""

    def __init__(self, header: Sequence[str], columns: Mapping[int, str], definitions: Definitions, zone: str) -> None:
        self._width = len(header)
        self._email = next(number for number, target in columns.items() if target == EMAIL)
        self._columns = [
            _Column(number, target, definitions[target].name, reader(definitions[target], ZoneInfo(zone)))
            for number, target in columns.items()
            if target != EMAIL
        ]

    @property
    def names(self) -> list[str]:
        """The attributes that the file brings."""
        return [column.name for column in self._columns]

    def read_all(self, records: Iterable[Record]) -> tuple[list[Row], list[Reject]]:
        """Part records into rows and rejects, each in the order of the file."""
        rows, rejects = [], []
        for record in records:
            read = self.read(record)
            if isinstance(read, Row):
                rows.append(read)
            else:
                rejects.append(read)
        return rows, rejects

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
            cell = _unguarded(fields[self._email])
            address = parse_plain(cell) or _parse_cell(cell)
        except BadAddress as error:
            return Reject(record, f"email: {error.detail}")
        values: dict[str, Value] = {}
        for column in self._columns:
            cell = fields[column.number]
            if cell and (cell := cell.strip()):
                try:
                    values[column.key] = column.read(_unguarded(cell))
                except WrongValue as error:
                    return Reject(record, f"{column.name}: {error.detail}")
        return Row(record, address, values)


def _unguarded(cell: str) -> str:
    # What imports/rejects.py disarmed comes back as it was.
    return cell[1:] if cell.startswith(_GUARDED) else cell


def _parse_cell(cell: str) -> Address:
    if not cell.strip():
        raise BadAddress("The address is missing")
    return parse(cell)
