"""Lines of an export's file, in CSV or JSON Lines."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Literal

import orjson

from members.attribute import Definitions
from members.exports.columns import Line, as_cell, getters
from members.imports.rejects import BOM

Format = Literal["csv", "jsonl"]


class Writer:
    """Writes lines with these columns. `bom`: CSV begins with a byte order mark, by which Excel knows UTF-8."""

    def __init__(self, format_: Format, columns: Sequence[str], definitions: Definitions, *, bom: bool) -> None:
        self._format = format_
        self._columns = columns
        self._getters = getters(columns, definitions)
        self._bom = bom

    @property
    def head(self) -> bytes:
        """What stands in front of the lines."""
        if self._format == "jsonl":
            return b""
        return (BOM if self._bom else b"") + _sheet([self._columns])

    def lines(self, lines: Iterable[Line]) -> bytes:
        """Return these lines."""
        if self._format == "csv":
            return _sheet([as_cell(get(line)) for _, get in self._getters] for line in lines)
        return b"".join(
            orjson.dumps(
                {name: value for name, get in self._getters if (value := get(line)) not in (None, [])},
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for line in lines
        )


def _sheet(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
