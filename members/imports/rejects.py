"""The reject file: what was not taken, with line and reason, to be corrected and sent in again."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence

from members.imports.columns import Reject

BOM = codecs.BOM_UTF8
_UNDECODED = re.compile("[\ud800-\udfff]")
_FORMULA = re.compile(r"[=+\-@\t\r\x00]")


def header_block(header: Sequence[str]) -> bytes:
    """Return the reject file's first line: the file's own columns, then line and reason."""
    return _written([[*header, "line", "reason"]])


def reject_block(rejects: Iterable[Reject], width: int) -> bytes:
    """Return lines for these rejects, each brought to `width` columns so that line and reason stand in theirs."""
    return _written(
        [*_fitted(reject.record.fields, width), str(reject.record.line), reject.reason] for reject in rejects
    )


def _fitted(fields: list[str], width: int) -> list[str]:
    # What is too much goes into the last column, to be seen there.
    padded = [*fields, *[""] * (width - len(fields))]
    return [*padded[: width - 1], ",".join(padded[width - 1 :])]


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows([_safe(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _safe(cell: str) -> str:
    # Undecodable bytes become U+FFFD. A cell that a spreadsheet would run as a formula is disarmed by a quote (OWASP
    # ASVS 5, CSV injection), which the import takes off again.
    cell = _UNDECODED.sub("\ufffd", cell)
    return "'" + cell if _FORMULA.match(cell) else cell
