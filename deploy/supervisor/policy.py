"""When a child that died is started again, and in which order children start and stop. Pure."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Protocol, TypeVar

FIRST = 0.2
"""Seconds before the first restart: a killed worker is back before its mail is missed."""
CAP = 10.0
HEALTHY_AFTER = 30.0
"""Seconds of life after which a death counts as the first again."""


class Staged(Protocol):
    """What has a place in the order."""

    @property
    def stage(self) -> int:
        """Lower stages start first and stop last."""


S = TypeVar("S", bound=Staged)


class Backoff:
    """Delays between restarts: 0.2 s, doubled at each death in a row, 10 s at most."""

    def __init__(self) -> None:
        self._deaths = 0

    def after_death(self, lived: float) -> float:
        """Return the seconds to wait before the next start, given how many the last one lived."""
        if lived >= HEALTHY_AFTER:
            self._deaths = 0
        delay = min(FIRST * 2.0 ** min(self._deaths, 10), CAP)
        self._deaths += 1
        return delay


def stages(children: Iterable[S]) -> list[Sequence[S]]:
    """Return the children by stage, in the order of starting; those of one stage start and stop together."""
    ordered = sorted(children, key=attrgetter("stage"))
    return [list(group) for _, group in groupby(ordered, key=attrgetter("stage"))]
