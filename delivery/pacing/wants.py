"""What a worker asks of a (source, site) budget, and what it is granted."""

from dataclasses import dataclass
from typing import Protocol


class Limits(Protocol):
    """What a receiver is known to take, from the rule file or a relay's settings."""

    @property
    def connections(self) -> int: ...  # noqa: D102
    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def rate(self) -> float | None: ...  # noqa: D102


Pair = tuple[int, int]
"""(source_id, site_id)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What one worker could use of one pair, and what it has learned there since its last ask.

    `connections`: how many it could use, 0 to give all up. At a site with a rate each slot carries its part of the
    rate, so ask for all that the load is worth, whatever one connection could take. `open`: slots whose connections
    stand yet; such a slot is nobody else's before its connection is closed. `successes`: messages that a session took
    its course with, whatever the reply; `failures`: connections or handshakes that failed; `in_use`: more was waiting
    than the slots could take. `adaptive` is False where the limits hold as they are: a relay, whose failures are not a
    site's.
    """

    source_id: int
    site_id: int
    connections: int
    limits: Limits
    open: frozenset[int] = frozenset()
    successes: int = 0
    failures: int = 0
    in_use: bool = False
    adaptive: bool = True

    @property
    def pair(self) -> Pair:
        """The budget that it is about."""
        return self.source_id, self.site_id


@dataclass(frozen=True, slots=True)
class Slot:
    """One allowed connection. Its next turn comes `wait` seconds after the answer, as its `turn`-th since `phase`."""

    number: int
    wait: float = 0.0
    turn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a worker may use of one pair until its next ask, as long as its lease is alive.

    `of`: slots in force over all workers; `rate`: messages a second over all of them, None without a limit; `phase`
    tells one numbering of turns from the next. `suspended_for`: seconds until mail may go again, None if it may now.
    """

    source_id: int
    site_id: int
    slots: tuple[Slot, ...] = ()
    of: int = 0
    rate: float | None = None
    phase: float = 0.0
    suspended_for: float | None = None
    reason: str | None = None

    @property
    def pair(self) -> Pair:
        """The budget that it is about."""
        return self.source_id, self.site_id

    @property
    def suspended(self) -> bool:
        """Whether nothing at all may be sent there."""
        return self.suspended_for is not None
