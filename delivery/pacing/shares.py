"""Which of a pair's slots one worker keeps, takes and gives back: pure arithmetic.

Slots are divided so that nobody is kept from what nobody else wants, and nobody has more than another who wants more.
Each worker computes the same division from the same rows and moves to its own part: what it has beyond that it gives
back, what is missing it takes as soon as it is free.

A slot that is to be given back while its connection stands yet stays ours, so that the receiver never sees more
connections than it allows, but it is used no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

Slots = frozenset[int]
NONE: Slots = frozenset()


@dataclass(frozen=True, slots=True)
class Claim:
    """How many connections a worker could use, and how many slots it has."""

    owner: UUID
    wanted: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Who holds what of a pair's `slots` in force when a worker asks.

    `mine`: slots that are ours; `open`: those whose connections stand; `others`: slots of other live workers.
    """

    slots: int
    mine: Slots = NONE
    open: Slots = NONE
    others: Slots = NONE

    @property
    def usable(self) -> Slots:
        """What is ours and in force."""
        return frozenset(slot for slot in self.mine if slot < self.slots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What becomes of it. `granted`: to use; `taken`, `dropped`: what changes hands."""

    granted: Slots = NONE
    taken: Slots = NONE
    dropped: Slots = NONE


def allotted(slots: int, claims: Sequence[Claim], owner: UUID) -> int:
    """Return how many of `slots` are one owner's, divided among all that claim some.

    Everybody has what it wants, or as much as anybody else that wants more. What does not divide goes to those who have
    the most already, so that a division that was reached stands.
    """
    left = max(0, slots)
    waiting = sorted(claims, key=lambda claim: claim.wanted)
    while waiting:
        level = left // len(waiting)
        if waiting[0].wanted > level:
            break
        content = waiting.pop(0)
        if content.owner == owner:
            return content.wanted
        left -= content.wanted
    if not waiting:
        return 0
    level, rest = divmod(left, len(waiting))
    first = sorted(waiting, key=lambda claim: (-claim.held, claim.owner))
    places = [claim.owner for claim in first]
    return level + (places.index(owner) < rest) if owner in places else 0


def share_out(held: Held, allotment: int) -> Share:
    """Return what a worker has from now on, of whom `allotment` slots are."""
    usable = held.usable
    # Those whose connections stand are kept first.
    kept = frozenset(sorted(usable, key=lambda slot: (slot not in held.open, slot))[: max(0, allotment)])
    closing = (held.mine - kept) & held.open
    vacant = set(range(held.slots)) - held.others - kept - closing
    # Below zero after a shrink that others have not heard of yet.
    free = held.slots - len(held.others) - len(kept) - len(closing)
    taken = frozenset(sorted(vacant)[: max(0, min(allotment - len(kept), free))])
    return Share(
        granted=kept | taken,
        taken=taken - held.mine,
        dropped=held.mine - kept - taken - closing,
    )
