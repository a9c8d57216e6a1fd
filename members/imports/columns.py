"""Which column of a file becomes what, and what a record comes to: a row that can be merged, or a reject."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from core.errors import Fault, InvalidInput
from members.addresses import Address
from members.attribute import Definitions
from members.imports.records import Record
from members.profile import Value

EMAIL = "email"
MAX_COLUMNS = 1000


class Column(NamedTuple):
    """A column by its title (JSON Lines: its key) and what it becomes, by key; None: it is passed over."""

    title: str
    target: str | None


class Row(NamedTuple):
    """A record that can be merged. `removed`: values that it takes away; `topics`: those that it joins."""

    record: Record
    address: Address
    values: dict[str, Value]
    removed: frozenset[str] = frozenset()
    topics: frozenset[UUID] = frozenset()

    def __repr__(self) -> str:
        """Name the line alone: a repr ends up in logs."""
        return f"Row({self.record.line})"


class Reject(NamedTuple):
    """A record that can't, and why: a sentence for the reject file, a code and a JSON pointer for a program."""

    record: Record
    reason: str
    code: str = "wrong-value"
    pointer: str = ""


def check_mapping(mapping: Mapping[str, str], definitions: Definitions) -> None:
    """Raise InvalidInput with a fault `/mapping/<column>` for each wrong target."""
    faults = []
    targets = [key_of(target, definitions) for target in mapping.values()]
    for column, target in zip(mapping, targets, strict=True):
        pointer = "/mapping/" + column.replace("~", "~0").replace("/", "~1")
        if target != EMAIL and target not in definitions:
            faults.append(Fault(pointer, "unknown-attribute", "email, topics, or the name of an attribute"))
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
    wanted = targets_by_title(mapping, definitions)
    found = {number: wanted[folded(title)] for number, title in enumerate(header) if folded(title) in wanted}
    targets = list(found.values())
    faults = [
        Fault(f"/mapping/{column.replace('~', '~0').replace('/', '~1')}", "no-column", "The file has no such column")
        for column, target in mapping.items()
        if key_of(target, definitions) not in targets
    ]
    if len(set(targets)) < len(targets):
        faults.append(Fault("/file", "duplicate-column", "A column stands twice in the header"))
    if not mapping and EMAIL not in targets:
        faults.append(Fault("/file", "no-email", "The header has no column email: name the columns by a mapping"))
    if faults:
        raise InvalidInput("The file's columns do not fit", faults)
    return found


def targets_by_title(mapping: Mapping[str, str], definitions: Definitions) -> dict[str, str]:
    """Return `email` or an attribute's key by folded title: by the mapping, else by all names of the attributes."""
    named = {title: key_of(target, definitions) for title, target in mapping.items()}
    return {folded(title): target for title, target in (named or {EMAIL: EMAIL, **definitions.names}).items()}


def key_of(target: str, definitions: Definitions) -> str:
    """Return the key of the attribute that is called so; of one that isn't there the name itself: no key is like it."""
    attribute = definitions.named(target)
    return target if attribute is None else attribute.key


def folded(title: str) -> str:
    """Return a title without regard to width, case and surrounding space."""
    return unicodedata.normalize("NFKC", title).strip().strip("\ufeff").casefold()
