"""When a slot of a site with a rate may send: its turns, by the worker's own clock. Pure.

Slot n of N at a rate R sends at phase + (k * N + n) / R, for whole k: the slots of all workers together form one even
grid, and none has to know of the others. A turn is used once, by its number, however often it is heard of anew. One
that passes unused is lost: saved up it would be a burst.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

from delivery.pacing.wants import Grant

LATE = 0.05
"""Seconds after its time that a turn may still be used: what a busy event loop needs."""


class _Next(NamedTuple):
    turn: int
    at: float


class Turns:
    """The turns of one grant. All times are monotonic seconds."""

    def __init__(
        self, slots: Mapping[int, _Next], *, phase: float, period: float, used: Mapping[int, int] | None = None
    ) -> None:
        self.rate = len(slots) / period
        """Messages a second that all its slots together may send."""
        self.phase = phase
        self._period = period
        # A turn that is used late must not meet the next one.
        self._late = min(LATE, period / 2)
        self._slots = slots
        self._used = dict(used or {})

    @classmethod
    def renewed(cls, before: "Turns | None", grant: Grant, *, now: float) -> "Turns | None":
        """Return a grant's turns, None at a site without a rate. `before`: those of the grant before.

        `now` is read after the answer has come, so that turns are late rather than early.
        """
        if grant.rate is None:
            return None
        return cls(
            {slot.number: _Next(slot.turn, now + slot.wait) for slot in grant.slots},
            phase=grant.phase,
            period=max(1, grant.of) / grant.rate,
            used=None if before is None else before.used(grant.phase),
        )

    def used(self, phase: float) -> Mapping[int, int]:
        """Return the last turn that each slot has used since `phase`."""
        return self._used if phase == self.phase else {}

    def next_at(self, slot: int, now: float) -> float:
        """Return when the slot's next turn is; not after `now`: it is due. Infinite for a slot that is not ours."""
        following = self._following(slot, now)
        return math.inf if following is None else following.at

    def take(self, slot: int, now: float) -> bool:
        """Use the slot's turn that is due; False if none is."""
        following = self._following(slot, now)
        if following is None or following.at > now:
            return False
        self._used[slot] = following.turn
        return True

    def due(self, now: float, ahead: float) -> int:
        """Return how many unused turns all slots together have from now to `ahead` seconds later."""
        count = 0
        for slot in self._slots:
            following = self._following(slot, now)
            if following is not None and following.at <= now + ahead:
                count += 1 + math.floor((now + ahead - following.at) / self._period)
        return count

    def _following(self, slot: int, now: float) -> _Next | None:
        """Return the first turn that is neither used nor lost."""
        first = self._slots.get(slot)
        if first is None:
            return None
        lost = math.ceil((now - self._late - first.at) / self._period)
        unused = self._used.get(slot, first.turn - 1) + 1 - first.turn
        steps = max(0, lost, unused)
        return _Next(first.turn + steps, first.at + steps * self._period)
