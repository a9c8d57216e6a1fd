"""Cells that a spreadsheet would run as a formula: disarmed on the way out, as they were on the way in.

A leading `'` disarms (OWASP ASVS 5, CSV injection). A text that has that form already gets one more, so that taking one
off always gives back what there was.
"""

import re

_RUNS = re.compile(r"'*[=+\-@\t\r\x00]")
_DISARMED = re.compile(r"'+[=+\-@\t\r\x00]")


def disarm(text: str) -> str:
    """Return a text as it may stand in a cell."""
    return "'" + text if _RUNS.match(text) else text


def rearm(cell: str) -> str:
    """Return the text that a cell of `disarm` stands for; any other cell is returned as it is."""
    return cell[1:] if cell[:1] == "'" and _DISARMED.match(cell) else cell
