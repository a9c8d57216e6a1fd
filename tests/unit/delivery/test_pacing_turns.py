"""Turns of a site with a rate: what all slots together send, whoever holds them and whenever they look."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.pacing import pace
from delivery.pacing.feedback import Window
from delivery.pacing.pace import Pace
from delivery.pacing.turns import LATE, Turns
from delivery.pacing.wants import Grant

START = 1_795_000_000.0
"""Some time since 1970, as large as those of the database: rounding must not matter."""

rates = st.floats(1 / 60, 200)
counts = st.integers(1, 10)


def grid(slots: int, rate: float) -> Pace:
    return Pace(
        slots=slots,
        rate=rate,
        phase_at=START + 1 / rate,
        window=Window(float(slots)),
        connections=slots,
        limit_rate=rate,
        limits_at=START,
    )


def granted(row: Pace, slots: Sequence[int], now: float) -> Grant:
    turns = tuple(pace.turn(row, slot, now) for slot in slots)
    return Grant(source_id=1, site_id=1, slots=turns, of=row.slots, rate=row.rate, phase=row.phase_at)


def heard(row: Pace, slots: Sequence[int], now: float, *, before: Turns | None = None, delay: float = 0.0) -> Turns:
    """A worker whose clock is the database's less START, and whose answer took `delay` seconds."""
    turns = Turns.renewed(before, granted(row, slots, START + now), now=now + delay)
    assert turns is not None
    return turns


def worst_excess(sent: Sequence[float], rate: float) -> float:
    """How many messages the fullest of all windows holds beyond rate * length."""
    times = sorted(sent)
    return max(
        (index - earlier + 1 - rate * (times[index] - times[earlier])
         for index in range(len(times)) for earlier in range(index + 1)),
        default=0.0,
    )  # fmt: skip


def send_all(turns: Turns, slots: Sequence[int], until: float) -> list[float]:
    """Send at every turn at its very time."""
    sent = []
    now = 0.0
    while (now := min(turns.next_at(slot, now) for slot in slots)) <= until:
        sent += [now for slot in slots if turns.next_at(slot, now) <= now and turns.take(slot, now)]
    return sent


@given(counts, rates)
def test_slots_that_never_idle_send_at_the_rate_and_no_window_holds_more(slots: int, rate: float) -> None:
    turns = heard(grid(slots, rate), range(slots), 0.0)
    sent = send_all(turns, range(slots), 50 / rate)
    assert len(sent) in {49, 50}
    assert worst_excess(sent, rate) <= 1.001
    assert turns.rate == pytest.approx(rate)


@given(
    counts,
    rates,
    st.lists(st.tuples(st.floats(0, 3), st.booleans(), st.floats(0, 0.01)), min_size=1, max_size=60),
)
def test_no_window_holds_more_whoever_looks_when_and_however_often_the_grants_are_heard_anew(
    slots: int, rate: float, looks: list[tuple[float, bool, float]]
) -> None:
    row = grid(slots, rate)
    owners = [list(range(slots))[first::3] for first in range(min(3, slots))]
    hold = [heard(row, mine, 0.0) for mine in owners]
    now, sent = 0.0, []
    for gap, anew, delay in looks:
        now += gap / rate
        if anew:
            hold = [heard(row, mine, now, before=turns, delay=delay) for mine, turns in zip(owners, hold, strict=True)]
        for mine, turns in zip(owners, hold, strict=True):
            sent += [now for slot in mine if turns.take(slot, now)]
    # A turn is used up to LATE after it was heard of, and heard of up to 10 ms late.
    assert worst_excess(sent, rate) <= 1.001 + rate * (LATE + 0.01)


@given(counts, rates)
def test_a_turn_that_was_missed_is_lost(slots: int, rate: float) -> None:
    period = slots / rate
    turns = heard(grid(slots, rate), range(slots), 0.0)
    asleep = turns.next_at(0, 0.0) + 7.9 * period
    assert not turns.take(0, asleep)
    following = turns.next_at(0, asleep)
    assert following - asleep == pytest.approx(0.1 * period, rel=0.01)
    assert turns.take(0, following)
    assert not turns.take(0, following)


def test_a_turn_may_be_used_a_little_late_but_never_so_late_that_it_meets_the_next() -> None:
    slow = heard(grid(1, 1.0), [0], 0.0)
    at = slow.next_at(0, 0.0)
    assert slow.next_at(0, at + LATE * 0.9) == at
    assert slow.next_at(0, at + LATE * 1.1) == pytest.approx(at + 1.0)
    fast = heard(grid(1, 100.0), [0], 0.0)
    at = fast.next_at(0, 0.0)
    assert fast.next_at(0, at + 0.004) == at
    assert fast.next_at(0, at + 0.006) == pytest.approx(at + 0.01)


def test_a_turn_that_was_used_is_not_given_again_by_an_answer_that_was_under_way() -> None:
    row = grid(2, 10.0)
    turns = heard(row, [0], 0.0)
    at = turns.next_at(0, 0.0)
    assert turns.take(0, at)
    anew = heard(row, [0], at - 0.001, before=turns, delay=0.002)
    assert anew.next_at(0, at) == pytest.approx(at + 0.2, abs=0.005)


def test_another_grid_begins_an_interval_later_and_knows_nothing_of_the_old_one() -> None:
    row = grid(2, 10.0)
    turns = heard(row, [0], 0.0)
    at = turns.next_at(0, 0.0)
    assert turns.take(0, at)
    other = pace.in_force(replace(row, window=Window(1.0)), pace.Restriction(), START + at)
    assert (other.slots, other.rate) == (1, 10.0)
    anew = heard(other, [0], at, before=turns)
    assert anew.next_at(0, at) == pytest.approx(at + 0.1, abs=1e-5)


@given(counts, rates, st.floats(0, 1), st.floats(0, 5))
def test_due_counts_the_turns_that_sending_will_find(slots: int, rate: float, used: float, ahead: float) -> None:
    turns = heard(grid(slots, rate), range(slots), 0.0)
    now = max(1 / rate, used * slots / rate)
    for slot in range(slots):
        turns.take(slot, now)
    expected = turns.due(now, ahead)
    found = 0
    for slot in range(slots):
        at = now
        while (at := turns.next_at(slot, at)) <= now + ahead:
            assert turns.take(slot, at)
            found += 1
    # A turn at the very end may fall on either side by rounding.
    assert abs(expected - found) <= 1
    assert turns.due(now, ahead) <= 1


def test_a_slot_that_is_not_ours_has_no_turn() -> None:
    turns = heard(grid(4, 10.0), [1, 2], 0.0)
    assert turns.next_at(0, 0.0) == math.inf
    assert not turns.take(0, 100.0)
    assert turns.rate == pytest.approx(5.0)


def test_without_a_rate_there_are_no_turns() -> None:
    assert Turns.renewed(None, Grant(source_id=1, site_id=1, of=3), now=0.0) is None
