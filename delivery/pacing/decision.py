"""What one ask comes to, from what the database shows: pure.

Decided twice: on an unlocked look, which is all there is to it if nothing is to be written; else again under the lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from delivery.pacing import feedback, pace
from delivery.pacing.pace import NEVER, Pace, Restriction
from delivery.pacing.shares import NONE, Claim, Held, Share, Slots, allotted, share_out
from delivery.pacing.wants import Grant, Want

URGENT_SECONDS = 2.0
"""How long the word of a worker of the pool `fast` stands that it needs a slot."""
URGENT_RENEWED = 1.0

UNREACHABLE = "no connection can be had"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A pair as the database shows it. `now`: its clock, seconds since 1970; `alive`: whether our lease is.

    `mine`, `others`: slots of ours and of other live workers; `apart`: how many of those other pools have. `peers`: the
    claims of the other live workers of our pool; `wanted`: what ours was.
    """

    now: float
    alive: bool
    pace: Pace | None
    restriction: Restriction
    mine: Slots = NONE
    others: Slots = NONE
    apart: int = 0
    peers: Sequence[Claim] = ()
    wanted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A grant, and what has to be written for it: the row and our claim, if they are others, and what changes hands."""

    grant: Grant
    pace: Pace | None = None
    wanted: int | None = None
    share: Share = field(default_factory=Share)
    buried_for: float | None = None

    @property
    def writes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.pace or self.wanted is not None or self.share.taken or self.share.dropped)


def decide(want: Want, seen: Seen, *, owner: UUID, pool: str, spread: float = 0.0) -> Decision:
    """Return what a want of a worker comes to.

    `spread` in [0, 1) lengthens by up to a tenth how long a dead site is left alone.
    """
    if not seen.alive or (seen.pace is None and want.connections <= 0):
        return Decision(grant=Grant(source_id=want.source_id, site_id=want.site_id))
    now = seen.now
    row = seen.pace or pace.first(want.limits, adaptive=want.adaptive, now=now)
    row, buried_for = _learnt(pace.limited(row, want.limits, now), want, seen.restriction)
    restriction = seen.restriction
    if buried_for is not None:
        buried_for *= 1 + spread / 10
        restriction = Restriction(connections=0, suspended_for=buried_for, reason=UNREACHABLE)
    row = pace.in_force(row, restriction, now)
    # Who wants more than there is wants all there is: that need not be written whenever it changes.
    wanted = max(0, min(want.connections, row.slots))
    held = Held(slots=row.slots, mine=seen.mine, open=want.open, others=seen.others)
    claims = (*seen.peers, Claim(owner, wanted, len(held.usable)))
    share = share_out(held, allotted(_divided(row, seen, pool), claims, owner))
    row = _marked(row, wanted, seen, share, pool)
    return Decision(
        grant=Grant(
            source_id=want.source_id,
            site_id=want.site_id,
            slots=tuple(pace.turn(row, slot, now) for slot in sorted(share.granted)),
            of=row.slots,
            rate=row.rate,
            phase=row.phase_at,
            suspended_for=restriction.suspended_for,
            reason=restriction.reason,
        ),
        pace=None if row == seen.pace else row,
        wanted=None if wanted == seen.wanted else wanted,
        share=share,
        buried_for=buried_for,
    )


def _divided(row: Pace, seen: Seen, pool: str) -> int:
    """Return how many slots our pool may divide: what the others do not have, less one that `fast` waits for."""
    urgent = pool == "bulk" and seen.now - row.urgent_at < URGENT_SECONDS
    return row.slots - seen.apart - urgent


def _learnt(row: Pace, want: Want, restriction: Restriction) -> tuple[Pace, float | None]:
    """Return the row with the window that feedback and restrictions leave, and for how long its site is buried."""
    suspended = restriction.suspended_for is not None
    if not want.adaptive:
        return replace(row, window=feedback.Window(float(row.connections))), None
    window = feedback.bounded(row.window, row.connections)
    # While it is suspended only old connections fail, and they have been judged.
    window = feedback.learn(
        window,
        successes=want.successes,
        failures=0 if row.slots == 0 else want.failures,
        slots=row.slots,
        most=row.connections,
        in_use=want.in_use and row.slots > 0,
    )
    buried_for = None
    if window.dead and not suspended:
        window, buried_for = feedback.buried(window)
    if suspended or row.slots == 0:
        window = feedback.restarted(window, want.limits.start)
    elif restriction.connections is not None:
        # When it ends, mail returns as it began, not as the herd that brought the restriction about.
        window = feedback.bounded(window, max(want.limits.start, restriction.connections))
    return replace(row, window=window), buried_for


def _marked(row: Pace, wanted: int, seen: Seen, share: Share, pool: str) -> Pace:
    """Return the row with the word of a worker of `fast` that it needs a slot, or without it once it has one."""
    if pool != "fast" or row.slots == 0:
        return row
    if share.taken:
        return replace(row, urgent_at=NEVER)
    if wanted and not share.granted and seen.apart and seen.now - row.urgent_at >= URGENT_RENEWED:
        return replace(row, urgent_at=seen.now)
    return row
