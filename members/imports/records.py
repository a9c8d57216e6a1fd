"""Records out of a stream of text, as CSV writes them (RFC 4180): quoted fields may hold delimiters and line breaks.

Pieces of text go in as they come, records come out with the number of the line they begin on. A quote that never
closes would swallow the rest of a file: its line alone is given out as broken, and reading goes on with the next.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from members.imports.encoding import has_undecoded

_AT_ONCE = 500
"""Lines that are read together: a millisecond or two."""

MAX_RECORD = 100_000
"""A record of more characters than this is broken."""

UNDECODABLE = "Bytes that mean nothing in the file's encoding"


class Record(NamedTuple):
    """One record. `fault` says why it can't be taken; where its quotes are broken `fields` is the raw line.

    `content` is the object of a line of JSON, whose `fields` is always the raw line.
    """

    line: int
    fields: list[str]
    fault: str | None
    content: Mapping[str, Any] | None = None

    def __repr__(self) -> str:
        """Name the line alone: a repr ends up in logs."""
        return f"Record({self.line})"


class RecordReader:
    """Takes text apart at `delimiter`. Lines are counted from `first_line` on."""

    def __init__(self, delimiter: str, first_line: int = 1) -> None:
        self._delimiter = delimiter
        self._tail = ""
        self._line = first_line

    def feed(self, text: str) -> Iterator[Record]:
        """Give out the records that are whole with this piece; an open one waits for the next."""
        text = self._tail + text
        lines = list(io.StringIO(text, newline=""))
        # What follows the last LF may go on; a CR there may be half of a CRLF.
        self._tail = lines.pop() if lines and not lines[-1].endswith("\n") else ""
        yield from self._checked(self._records(lines, final=False), text)

    def close(self) -> Iterator[Record]:
        """Give out what is left at the end of the file."""
        text, self._tail = self._tail, ""
        yield from self._checked(self._records(list(io.StringIO(text, newline="")), final=True), text)

    def _checked(self, records: Iterator[Record], text: str) -> Iterator[Record]:
        # One scan of the whole piece: only where it finds something is each record looked at.
        if not has_undecoded(text):
            return records
        return (
            record._replace(fault=UNDECODABLE) if any(map(has_undecoded, record.fields)) else record
            for record in records
        )

    def _records(self, lines: list[str], *, final: bool) -> Iterator[Record]:
        start, new = 0, tuple.__new__  # a third of what a NamedTuple's own takes
        while read := self._plain(lines[start : start + _AT_ONCE]):
            numbered = enumerate(read, self._line + start)
            yield from [new(Record, (line, fields, None, None)) for line, fields in numbered if any(fields)]
            start += len(read)
        while start < len(lines):
            parsed = csv.reader(lines[start:] if start else lines, delimiter=self._delimiter, strict=True)
            begun = 0
            try:
                for fields in parsed:
                    if fields and any(fields):
                        yield Record(self._line + start + begun, fields, None)
                    begun = parsed.line_num
                start = len(lines)
            except csv.Error:
                start += begun
                at_end = parsed.line_num == len(lines) - start + begun
                if at_end and not final and self._carry(lines[start:]):
                    break
                yield Record(self._line + start, [lines[start].rstrip("\r\n")], "The quotes of this line do not match")
                start += 1
        self._line += start

    def _plain(self, lines: list[str]) -> list[list[str]]:
        """Return the fields of lines each of which is a record; nothing if one of them isn't."""
        try:
            read = list(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return []
        return read if len(read) == len(lines) else []

    def _carry(self, lines: list[str]) -> bool:
        """Keep an unfinished record for the next piece, unless it is too long or would be broken there too."""
        text = "".join(lines)
        if len(text) > MAX_RECORD:
            return False
        self._tail = text + self._tail
        return True
