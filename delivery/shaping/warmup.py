"""How much a new address may send day by day, so that receivers come to know it. Pure.

SendGrid's published schedule, of which three points are kept to: 20 on the first day, 1,000 on the thirteenth, about
ten million on the fortieth. Between them it grows evenly, by 39 % a day at first and by 41 % then.
"""

from itertools import pairwise

FIRST = 20
_POINTS = ((0, 20.0), (12, 1_000.0), (39, 10_000_000.0))


def cap_on(day: int) -> int | None:
    """Return the messages allowed on a day of the warm-up, counted from 0; None once it is over."""
    if day < 0:
        return FIRST
    for (begin, low), (end, high) in pairwise(_POINTS):
        if day <= end:
            return int(low * (high / low) ** ((day - begin) / (end - begin)) + 0.5)
    return None
