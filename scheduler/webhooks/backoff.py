"""When a post that was not taken is made again: pure arithmetic."""

DELAYS = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds after the first, second … failure, as Standard Webhooks suggests; after the last, three days on, none."""

MOST_ATTEMPTS = len(DELAYS) + 1


def delay_after(attempts: int, *, jitter: float) -> float | None:
    """Seconds to wait after the `attempts`-th failure (from 1), or None once it is given up.

    `jitter` in [0, 1) lengthens the delay by up to a fifth, so that what failed together does not return together.
    """
    if attempts < 1:
        raise ValueError("attempts are counted from 1")
    return DELAYS[attempts - 1] * (1 + jitter / 5) if attempts < MOST_ATTEMPTS else None
