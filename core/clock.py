"""The only place that reads the wall clock; everything else is given a `Clock`."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for deadlines."""

    def now(self) -> datetime:
        """Return the present as an aware datetime in UTC."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards, from an arbitrary start."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """Return the machine's wall time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic seconds."""
        return time.monotonic()


class FixedClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, at: datetime) -> None:
        self._at = at
        self._seconds = 0.0

    def now(self) -> datetime:
        """Return the time it was set to, plus all advances."""
        return self._at

    def monotonic(self) -> float:
        """Return the sum of all advances in seconds."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Move both times on by `seconds`."""
        self._at += timedelta(seconds=seconds)
        self._seconds += seconds
