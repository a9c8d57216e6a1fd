"""What an import shows of its file before anyone looks into it: columns and what they become, a few masked rows.

It is as personal as the file and sealed as the file is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from members.addresses import mask
from members.attribute import Definitions
from members.imports.columns import Column, Reject
from members.imports.layout import Layout
from members.imports.records import Record
from members.profile import Value

SAMPLES = 10
MASKED = "***"


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """`samples`: the first rows as they would be taken, masked as members are for a list, or why they would not be."""

    columns: list[Column] = field(default_factory=list)
    samples: list[Mapping[str, Any]] = field(default_factory=list)


def made(layout: Layout, first: Sequence[Record], skip: int, definitions: Definitions, *, samples: bool) -> bytes:
    """Return the report of a file by its first records, of which `skip` are no rows."""
    rows = [_sample(layout, record, definitions) for record in first[skip:]] if samples else []
    named = {key: attribute.name for key, attribute in definitions.items()}
    columns = [[column.title, named.get(column.target or "", column.target)] for column in layout.columns(first)]
    return orjson.dumps({"columns": columns, "samples": rows})


def read(content: bytes) -> Report:
    """Read what `made` returned."""
    held = orjson.loads(content)
    return Report([Column(*column) for column in held["columns"]], held["samples"])


def _sample(layout: Layout, record: Record, definitions: Definitions) -> dict[str, Any]:
    read_ = layout.read(record)
    if isinstance(read_, Reject):
        return {"line": record.line, "reason": read_.reason}
    attributes = {
        definitions[key].name: _masked(value, definitions[key].protection) for key, value in read_.values.items()
    }
    return {"line": record.line, "email": mask(read_.address.mailbox), "attributes": attributes}


def _masked(value: Value, protection: str) -> Value:
    return value if protection == "open" else MASKED
