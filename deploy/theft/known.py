"""Whom the thief knows: a CSV file, a row a person, a column for each thing that is known of them.

The column `email` is looked for whole and by its local part; any other as it stands. Columns of *open* attributes,
which stand in plain by design, do not belong in the file.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from core.errors import ConfigurationError

EMAIL = "email"
MOST = 5_000
"""People: each has some hundred spellings, and all of them are held in memory."""


class Known(NamedTuple):
    """One thing that is known: of the person in which line of the file, what kind of thing, and how it reads."""

    line: int
    kind: str
    value: str

    def __repr__(self) -> str:
        """Name line and kind alone: a repr ends up in logs."""
        return f"Known({self.line}, {self.kind})"


def read_known(path: Path) -> list[Known]:
    """Return what the file knows; ConfigurationError if it can't be read or has no row."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            found = list(known_of(csv.DictReader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path} can't be read as a CSV file in UTF-8 ({type(error).__name__})") from None
    if not found:
        raise ConfigurationError(f"{path} knows nobody: a line of column names, then a line for each person")
    return found


def known_of(rows: Iterable[Mapping[str, str | None]]) -> Iterator[Known]:
    """Give out each thing in the rows; an address also by its local part. ConfigurationError past 5,000 people."""
    for line, row in enumerate(rows, 2):
        if line - 2 >= MOST:
            raise ConfigurationError(f"At most {MOST:,} people are looked for at a time")
        for kind, value in row.items():
            if not kind or not isinstance(value, str) or not value.strip():
                continue
            yield Known(line, kind, value.strip())
            if kind == EMAIL and "@" in value:
                yield Known(line, "local part", value.strip().rpartition("@")[0])
