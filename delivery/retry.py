"""When a temporarily refused message is tried again: pure arithmetic."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetrySchedule:
    """Doubles from `first` to at most `cap`, until `total` has passed since the first attempt; all in seconds.

    RFC 5321 section 4.5.4.1 asks for at least 30 minutes between attempts in general and 4 to 5 days in all; bulk
    mail is stale after three.
    """

    first: float = 300.0
    cap: float = 4 * 3600.0
    total: float = 72 * 3600.0

    def delay(self, attempts: int, *, age: float, jitter: float) -> float | None:
        """Seconds to wait after the `attempts`-th temporary failure (from 1), or None once `total` is over.

        `age` is the time since the first attempt; `jitter` in [0, 1) lengthens the delay by up to a fifth, so that
        mail refused together does not return together.
        """
        if attempts < 1:
            raise ValueError("attempts are counted from 1")
        wait = min(self.first * 2.0 ** min(attempts - 1, 32), self.cap) * (1 + jitter / 5)
        return None if age + wait > self.total else wait
