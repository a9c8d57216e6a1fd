"""Spans of time as operators write and read them: 90s, 15min, 2h, 3d. Pure."""

from core.errors import Fault, InvalidInput
from delivery.shaping.limits import Wrong, duration

LONGEST = 366 * 86_400
"""Seconds."""


def parse(text: str) -> float:
    """Return the seconds that a text such as 2h means, as in the rule file; InvalidInput for another or over a year."""
    try:
        seconds = duration(text.strip())
    except Wrong:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        detail = "A time is written as 90s, 15min, 2h or 3d, a year at most"
        raise InvalidInput(detail, [Fault("/for", "invalid", "Not such a time")])
    return seconds


def shown(seconds: float) -> str:
    """Return a span in its greatest unit of which there are at least two: 110 s, 15 min, 47 h, 3 d."""
    for unit, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
