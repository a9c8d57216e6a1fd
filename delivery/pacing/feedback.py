"""What successes and failures do to the number of connections that a site is given: Postfix's feedback. Pure.

A success adds 1/N of a connection to a window of N, a failure takes 1/N away. Against a receiver that refuses what is
over its limit this is the gentlest of the usual steps, because of the hysteresis: the first failure takes a whole
connection at once and pays for the failures that follow it, while a step up needs a whole window of successes. So a
limit of L is overstepped by one, at most once in L + 1 messages; without it failures would settle at one in two.
SCHEDULER_README and qmgr_queue.c of Postfix.
"""

import math
from dataclasses import dataclass, replace

UNREACHABLE_FIRST = 60.0
UNREACHABLE_LONGEST = 3600.0
"""Seconds that a dead site is left alone: at first, and at the most."""

_ROUNDING = 1e-9
_MOST_TIMES = 100


@dataclass(frozen=True, slots=True)
class Window:
    """The connections that a pair is allowed, and what led there.

    `allowed`: its whole part is the window, its fraction the way to the next connection. `credit`: what the last step
    down has paid for of the next. `failures`: cohorts' worth of failures since the last success, a cohort being one for
    each slot. `dead_times`: how often in a row the site was found dead.
    """

    allowed: float
    credit: float = 0.0
    failures: float = 0.0
    dead_times: int = 0

    @property
    def size(self) -> int:
        """Whole connections."""
        return math.floor(self.allowed)

    @property
    def dead(self) -> bool:
        """Whether a full cohort has failed without a success in between."""
        return self.failures >= 1 - _ROUNDING


def learn(window: Window, *, successes: int, failures: int, slots: int, most: int, in_use: bool) -> Window:
    """Return the window after so many successes and failures of unknown order, at `slots` in force.

    It grows to `most`, and only while it is what holds us back: `in_use`, and not fewer slots than the window for
    another reason. Failures are counted after successes, so that the slower reading of the order wins; but a site that
    had any success is not dead.
    """
    if successes:
        window = replace(window, failures=0.0, dead_times=0)
        if in_use and slots >= window.size:
            window = _grown(window, successes, most)
    if failures:
        if not successes:
            window = replace(window, failures=window.failures + failures / max(1, slots))
        for _ in range(failures):
            window = _shrunk(window)
    return bounded(window, most)


def bounded(window: Window, most: int) -> Window:
    """Return the window at no more than `most` connections."""
    return window if window.allowed <= most else replace(window, allowed=float(most))


def restarted(window: Window, start: int) -> Window:
    """Return the window with which mail returns after a suspension: not as a herd."""
    return replace(window, allowed=min(window.allowed, float(max(1, start))), credit=0.0, failures=0.0)


def buried(window: Window) -> tuple[Window, float]:
    """Return a dead site's window, and the seconds to leave it alone: doubling each time, without jitter."""
    seconds = min(UNREACHABLE_FIRST * 2.0**window.dead_times, UNREACHABLE_LONGEST)
    return replace(window, failures=0.0, dead_times=min(window.dead_times + 1, _MOST_TIMES)), seconds


def _grown(window: Window, successes: int, most: int) -> Window:
    while successes and window.size < most:
        size = window.size
        # Half a step early: what fractions lose by rounding must not cost a success.
        needed = max(1, math.ceil((size + 1 - window.allowed) * size - 0.5))
        if successes < needed:
            return replace(window, allowed=window.allowed + successes / size)
        window = replace(window, allowed=size + 1.0, credit=0.0)
        successes -= needed
    return window


def _shrunk(window: Window) -> Window:
    step = 1.0 / window.size
    credit = window.credit - step
    if credit >= step / 2:
        return replace(window, credit=credit)
    return replace(window, allowed=max(1.0, window.size - 1.0), credit=credit + 1.0)
