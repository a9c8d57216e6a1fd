"""JSON Lines: one object a line, its keys are columns, its values have their types (jsonlines.org, RFC 8259).

A line that is no object costs itself alone. Keys that name nothing are passed over, whatever stands under them; `null`
takes a value away. A text for an attribute that is none is read as a cell would be, so that dates may be written as
people write them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from members.addresses import Address, parse, parse_plain
from members.attribute import Attribute, Definitions
from members.cells import Reader, reader
from members.errors import BadAddress, WrongValue
from members.imports.columns import EMAIL, MAX_COLUMNS, Column, Reject, Row, folded, targets_by_title
from members.imports.encoding import has_undecoded
from members.imports.layout import read_each
from members.imports.records import MAX_RECORD, UNDECODABLE, Record
from members.imports.rejects import decoded
from members.profile import Value
from members.values import from_json, is_nothing

_MAX_KEYS_KNOWN = 10_000


class LineReader:
    """Takes text apart at line feeds: a record a line, empty lines left out. Lines are counted from 1."""

    def __init__(self) -> None:
        self._tail = ""
        self._line = 0
        self._too_long = False

    def feed(self, text: str) -> Iterator[Record]:
        """Give out the records that are whole with this piece."""
        *lines, self._tail = (self._tail + text).split("\n")
        for line in lines:
            yield from self._record(line)
        if len(self._tail) > MAX_RECORD:
            # The rest of such a line is not kept; its beginning is enough to find it by.
            self._tail, self._too_long = self._tail[:MAX_RECORD], True

    def close(self) -> Iterator[Record]:
        """Give out what is left at the end of the file."""
        tail, self._tail = self._tail, ""
        yield from self._record(tail)

    def _record(self, line: str) -> Iterator[Record]:
        self._line += 1
        too_long, self._too_long = self._too_long or len(line) > MAX_RECORD, False
        if too_long:
            yield Record(self._line, [line[:MAX_RECORD]], f"The line is longer than {MAX_RECORD} characters")
        elif line and not line.isspace():
            yield _parsed(self._line, line)


def _parsed(number: int, line: str) -> Record:
    if has_undecoded(line):
        return Record(number, [line], UNDECODABLE)
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return Record(number, [line], "The line is not JSON")
    if not isinstance(content, dict):
        return Record(number, [line], "The line is not a JSON object")
    if len(content) > MAX_COLUMNS:
        return Record(number, [line], f"The object has more than {MAX_COLUMNS} keys")
    return Record(number, [line], None, content)


class ObjectLayout:
    """Makes rows of objects, and lines of the reject file: the objects as they came, with `line` and `reason`."""

    def __init__(self, mapping: Mapping[str, str], definitions: Definitions, zone: str) -> None:
        self._targets = targets_by_title(mapping, definitions)
        self._readers = {
            target: (definitions[target], reader(definitions[target], ZoneInfo(zone)))
            for target in self._targets.values()
            if target != EMAIL
        }
        self._known: dict[str, str | None] = {}

    reject_header = b""

    def columns(self, records: Iterable[Record]) -> list[Column]:
        """Return the keys of these records and what each becomes."""
        keys = dict.fromkeys(key for record in records for key in record.content or ())
        return [Column(key, self._target(key)) for key in list(keys)[:MAX_COLUMNS]]

    def read(self, record: Record) -> Row | Reject:
        """Read one record; its first fault is the reason of a reject."""
        if record.content is None:
            return Reject(record, record.fault or "The line is not a JSON object")
        named: dict[str, Any] = {}
        for key, content in record.content.items():
            target = self._target(key)
            if target is not None and target in named:
                return Reject(record, f"{self._name(target)}: Two keys of the object become this")
            if target is not None:
                named[target] = content
        try:
            address = _address(named.pop(EMAIL, None))
        except BadAddress as error:
            return Reject(record, f"email: {error.detail}", error.code, "/email")
        values: dict[str, Value] = {}
        for target, content in named.items():
            attribute, read = self._readers[target]
            if not is_nothing(content) and (content != "" or attribute.type == "text"):
                try:
                    values[target] = _value(attribute, read, content)
                except WrongValue as error:
                    return Reject(record, f"{attribute.name}: {error.detail}")
        return Row(record, address, values, frozenset(key for key, content in named.items() if is_nothing(content)))

    def read_all(self, records: Sequence[Record]) -> tuple[list[Row], list[Reject]]:
        """Read many; return rows and rejects, each in the order of the file."""
        return read_each(self.read, records)

    def reject_lines(self, rejects: Iterable[Reject]) -> bytes:
        """Return a line for each reject; one that was no object has its text under `record`."""
        return b"".join(
            orjson.dumps(
                {
                    **(reject.record.content or {"record": decoded(reject.record.fields[0])}),
                    "line": reject.record.line,
                    "reason": reject.reason,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for reject in rejects
        )

    def _name(self, target: str) -> str:
        return EMAIL if target == EMAIL else self._readers[target][0].name

    def _target(self, key: str) -> str | None:
        if key in self._known:
            return self._known[key]
        target = self._targets.get(folded(key))
        if len(self._known) < _MAX_KEYS_KNOWN:
            self._known[key] = target
        return target


def _address(content: object) -> Address:
    if content is None or content == "":
        raise BadAddress("The address is missing")
    if not isinstance(content, str):
        raise BadAddress("The address is a text")
    return parse_plain(content) or parse(content)


def _value(attribute: Attribute, read: Reader, content: Any) -> Value:
    if isinstance(content, dict):
        raise WrongValue("An object can't be a value: only texts, numbers, true, false and lists of texts can")
    if isinstance(content, str) and attribute.type != "text" and (cell := content.strip()):
        return read(cell)
    return from_json(attribute, content)
