"""What a line of an export holds: which columns there are, and each one's value as CSV and JSON Lines show it.

An import reads back what stands here. JSON Lines is exact; CSV loses the space around a text, and a tag that has a
separator in it comes back as two.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from core import ids
from core.errors import Fault, InvalidInput
from members.attribute import Definitions
from members.formulas import disarm
from members.groups import KIND as GROUP
from members.profile import Value
from members.topics import KIND as TOPIC

MEMBER = "mem"
MAX_COLUMNS = 300


class Line(NamedTuple):
    """A member to be written; `values` by attribute key."""

    member_id: UUID
    address: str
    status: str
    groups: Sequence[UUID]
    topics: Sequence[UUID]
    values: Mapping[str, Value]
    created_at: datetime
    updated_at: datetime

    def __repr__(self) -> str:
        """Name the id alone: a repr ends up in logs."""
        return f"Line({self.member_id})"


Get = Callable[[Line], Any]

FIXED: Mapping[str, Get] = {
    "id": lambda line: ids.encode(MEMBER, line.member_id),
    "email": lambda line: line.address,
    "status": lambda line: line.status,
    "groups": lambda line: [ids.encode(GROUP, group) for group in line.groups],
    "topics": lambda line: [ids.encode(TOPIC, topic) for topic in line.topics],
    "created_at": lambda line: line.created_at.isoformat(),
    "updated_at": lambda line: line.updated_at.isoformat(),
}
"""Columns beside the attributes, by name; a member without groups has no value of `groups`, nor of `topics`."""


def default_columns(definitions: Definitions) -> list[str]:
    """Return what an export holds if it is not said: what an import can read."""
    return ["email", *(attribute.name for attribute in definitions.values())]


def check_columns(columns: Sequence[str], definitions: Definitions) -> None:
    """Raise InvalidInput with a fault `/columns/<n>` for each that does not exist or stands twice."""
    faults = []
    for number, name in enumerate(columns):
        if name not in FIXED and _key(name, definitions) is None:
            detail = f"The name of an attribute, or one of: {', '.join(FIXED)}"
            faults.append(Fault(f"/columns/{number}", "unknown-column", detail))
        elif name in columns[:number]:
            faults.append(Fault(f"/columns/{number}", "duplicate-column", "The column stands twice"))
    if not 0 < len(columns) <= MAX_COLUMNS:
        faults.append(Fault("/columns", "too-many", f"1 to {MAX_COLUMNS} columns"))
    if faults:
        raise InvalidInput("The columns can't be exported", faults)


def getters(columns: Sequence[str], definitions: Definitions) -> list[tuple[str, Get]]:
    """Return name and getter of each column; an attribute that is gone has no values."""
    keys = [(name, _key(name, definitions)) for name in columns]
    return [(name, FIXED[name] if key is None and name in FIXED else _value_of(key or name)) for name, key in keys]


def as_cell(value: object) -> str:
    """Return a value as a cell of CSV: texts that a spreadsheet would run are disarmed, numbers are not."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    if isinstance(value, list):
        return disarm("; ".join(value))
    return disarm(value) if isinstance(value, str) else str(value)


def _value_of(key: str) -> Get:
    return lambda line: line.values.get(key)


def _key(name: str, definitions: Definitions) -> str | None:
    attribute = definitions.named(name)
    return None if attribute is None else attribute.key
