"""How many slots a pair has and how fast they may send, by the database's clock: pure arithmetic.

All times are seconds since 1970 as the database sees them; they are compared with each other only.
"""

import math
from dataclasses import dataclass, replace

from delivery.pacing.feedback import Window, bounded
from delivery.pacing.wants import Limits, Slot

LIMITS_STAND = 60.0
"""Seconds that limits stand after the last worker that brought them: as long as a change of the rule file may take."""
LIMITS_RENEWED = 20.0

NEVER = -math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """All that is imposed on a pair now, as one. `suspended_for`: seconds, None unless nothing may be sent."""

    connections: int | None = None
    rate: float | None = None
    suspended_for: float | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """A row of the table `pace`. `slots` 0: the pair is suspended, or was made just now."""

    slots: int
    rate: float | None
    phase_at: float
    window: Window
    connections: int
    limit_rate: float | None
    limits_at: float
    urgent_at: float = NEVER


def first(limits: Limits, *, adaptive: bool, now: float) -> Pace:
    """Return the row of a pair that nobody has asked for before."""
    return Pace(
        slots=0,
        rate=None,
        phase_at=now,
        window=bounded(Window(float(limits.start if adaptive else limits.connections)), limits.connections),
        connections=limits.connections,
        limit_rate=limits.rate,
        limits_at=now,
    )


def limited(pace: Pace, limits: Limits, now: float) -> Pace:
    """Return the row with the strictest limits that any worker has brought of late.

    Workers may differ while a new rule file is rolled out. If each put its own into force they would take turns, and
    with each turn the grid of a site with a rate would begin anew.
    """
    if (limits.connections, limits.rate) == (pace.connections, pace.limit_rate):
        return pace if now - pace.limits_at < LIMITS_RENEWED else replace(pace, limits_at=now)
    if now - pace.limits_at >= LIMITS_STAND:
        return replace(pace, connections=limits.connections, limit_rate=limits.rate, limits_at=now)
    connections = min(pace.connections, limits.connections)
    rate = least(pace.limit_rate, limits.rate)
    if (connections, rate) == (pace.connections, pace.limit_rate):
        return pace
    return replace(pace, connections=connections, limit_rate=rate, limits_at=now)


def in_force(pace: Pace, restriction: Restriction, now: float) -> Pace:
    """Return the row with the slots and the rate that its window, its limits and what is imposed come to.

    A new grid begins one interval from now at the earliest, so that its first turn keeps its distance from the last one
    of the old grid.
    """
    rate = least(pace.limit_rate, restriction.rate)
    if restriction.suspended_for is not None:
        slots = 0
    else:
        slots = min(pace.window.size, pace.connections)
        if restriction.connections is not None:
            slots = min(slots, restriction.connections)
        if rate is not None:
            slots = min(slots, max(1, math.ceil(rate)))
    if (slots, rate) == (pace.slots, pace.rate):
        return pace
    # To the microsecond, as it will be read back: it is by its phase that a worker knows a grid again.
    return replace(pace, slots=slots, rate=rate, phase_at=round(now if rate is None else now + 1 / rate, 6))


def turn(pace: Pace, slot: int, now: float) -> Slot:
    """Return a slot with its next turn."""
    if pace.rate is None or pace.slots == 0:
        return Slot(slot)
    offset = pace.phase_at + slot / pace.rate
    period = pace.slots / pace.rate
    number = max(0, math.ceil((now - offset) / period))
    return Slot(slot, wait=max(0.0, offset + number * period - now), turn=number)


def least(one: float | None, other: float | None) -> float | None:
    """Return the smaller, None being no limit at all."""
    return other if one is None else one if other is None else min(one, other)
