"""What a source may still send today: its daily cap, or its warm-up's, shared by all workers through the database.

A worker takes its part a little ahead and brings back what it did not use; what a killed worker had taken is lost for
the day, so a cap may end early and is never exceeded. Days are UTC's.
"""

from collections.abc import Callable
from datetime import date

from core.clock import Clock
from delivery.pacing.caps import Caps
from delivery.shaping.warmup import cap_on

AHEAD = 1_000
"""Messages taken at once, at the most."""


class DailyAllowance:
    """Of one source; `cap_of` returns a day's cap, None where there is none."""

    def __init__(self, caps: Caps, source_id: int, cap_of: Callable[[date], int | None], clock: Clock) -> None:
        self.left = 0
        self._caps = caps
        self._source_id = source_id
        self._cap_of = cap_of
        self._clock = clock
        self._day: date | None = None

    async def replenish(self, wanted: int) -> None:
        """Take more for `wanted` messages, as far as the day's cap goes."""
        today = self._clock.now().date()
        if self._day is not None and self._day != today:
            self.left = 0
        ahead = min(wanted, AHEAD)
        if self._day == today and self.left * 2 >= ahead:
            return
        cap = self._cap_of(today)
        if cap is None:
            self.left, self._day = AHEAD, today
            return
        self._day, more = await self._caps.reserve(self._source_id, cap, ahead - self.left)
        self.left += more

    async def return_rest(self) -> None:
        """Bring back what was taken and not used."""
        if self.left > 0 and self._day is not None and self._cap_of(self._day) is not None:
            left, self.left = self.left, 0
            await self._caps.give_back(self._source_id, self._day, left)


def daily_cap(fixed: int | None, begun: date | None, own: tuple[int, ...]) -> Callable[[date], int | None] | None:
    """Return a source's cap by day: the least of a fixed one and a warm-up's; None where neither is set.

    `begun` is the warm-up's first day, `own` its caps day by day instead of the usual ones.
    """
    if fixed is None and begun is None:
        return None

    def cap_of(day: date) -> int | None:
        caps = [] if fixed is None else [fixed]
        if begun is not None:
            since = max(0, (day - begun).days)
            warm = (own[since] if since < len(own) else None) if own else cap_on(since)
            caps += [] if warm is None else [warm]
        return min(caps, default=None)

    return cap_of
