"""Whether an answer's time tells who is known: measured on members and on strangers in turn."""

from datetime import timedelta
from math import sqrt
from statistics import fmean, stdev
from time import perf_counter

import pytest

from members.member import Consent
from tests.support.signups import Desk

CLOSE = 0.002
"""Seconds within which the means must lie."""


async def difference(desk: Desk, tries: int) -> tuple[float, float]:
    """Return the 95 % interval of the difference of means, of `tries` forms each, sent in turn."""
    desk.bound(per_network=10**6, per_account=10**6)
    for number in range(20):
        consent = Consent("form", desk.clock.now() - timedelta(days=1))
        await desk.members.create(desk.account_id, f"known{number}@example.jp", consent=consent)
    differences = []
    for number in range(-10, tries):
        times = {}
        # Which goes first changes in turn, so that neither is always the one that comes after the other.
        order = ("known", "stranger") if number % 2 else ("stranger", "known")
        for who in order:
            address = f"known{number % 20}@example.jp" if who == "known" else f"nobody{number + 10}@example.jp"
            began = perf_counter()
            answer = await desk.send(address)
            times[who] = perf_counter() - began
            assert answer.status_code == 303
        if number >= 0:
            differences.append(times["known"] - times["stranger"])
    middle, reach = fmean(differences), 1.96 * stdev(differences) / sqrt(tries)
    return middle - reach, middle + reach


async def test_no_difference_of_time_between_known_and_unknown_addresses_shows(desk: Desk) -> None:
    low, high = await difference(desk, 60)
    assert low < CLOSE, "known addresses take longer"
    assert high > -CLOSE, "known addresses are faster"


@pytest.mark.chaos
async def test_known_and_unknown_addresses_are_answered_in_the_same_time(desk: Desk) -> None:
    low, high = await difference(desk, 1_000)
    assert low > -CLOSE
    assert high < CLOSE
