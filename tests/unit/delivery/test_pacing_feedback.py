"""Feedback to the number of connections: the steps of Postfix's scheduler, and why they are 1/N."""

import math
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from delivery.pacing.feedback import (
    UNREACHABLE_FIRST,
    UNREACHABLE_LONGEST,
    Window,
    bounded,
    buried,
    learn,
    restarted,
)


class Scheduler:
    """The pseudocode of Postfix's SCHEDULER_README with any step, one delivery at a time."""

    def __init__(self, window: int, most: int, step: Callable[[int], float]) -> None:
        self.window, self._most, self._step = window, most, step
        self._success = self._failure = 0.0

    def delivered(self) -> None:
        if self.window < self._most:
            step = self._step(self.window)
            self._success += step
            while self._success + step / 2 >= 1:
                self.window += 1
                self._success -= 1
                self._failure = 0.0
            self.window = min(self.window, self._most)

    def refused(self) -> None:
        step = self._step(self.window)
        self._failure -= step
        while self._failure - step / 2 < 0:
            self.window -= 1
            self._success = 0.0
            self._failure += 1
        self.window = max(1, self.window)


class Ours:
    """The same interface over `learn`."""

    def __init__(self, window: int, most: int) -> None:
        self.state, self._most = Window(float(window)), most

    @property
    def window(self) -> int:
        return self.state.size

    def delivered(self) -> None:
        self.state = after(self.state, successes=1, most=self._most)

    def refused(self) -> None:
        self.state = after(self.state, failures=1, most=self._most)


def after(
    window: Window,
    *,
    successes: int = 0,
    failures: int = 0,
    slots: int | None = None,
    most: int = 20,
    in_use: bool = True,
) -> Window:
    return learn(
        window,
        successes=successes,
        failures=failures,
        slots=window.size if slots is None else slots,
        most=most,
        in_use=in_use,
    )


def share_refused(scheduler: Scheduler | Ours, limit: int, rounds: int = 2_000) -> float:
    """Deliver to a receiver that answers 421 to every connection over its limit; return the share of refusals."""
    refused = total = 0
    for _ in range(rounds):
        window = scheduler.window
        for connection in range(window):
            total += 1
            if connection < limit:
                scheduler.delivered()
            else:
                refused += 1
                scheduler.refused()
    return refused / total


@given(st.integers(2, 20), st.lists(st.booleans(), max_size=200))
def test_it_is_postfix_s_feedback_of_one_to_the_window(start: int, deliveries: list[bool]) -> None:
    ours, reference = Ours(start, 20), Scheduler(start, 20, lambda window: 1 / window)
    for delivered in deliveries:
        for one in (ours, reference):
            (one.delivered if delivered else one.refused)()
        assert abs(ours.window - reference.window) <= 1


def test_one_to_the_window_is_the_gentlest_to_a_receiver_with_a_limit() -> None:
    ours = share_refused(Ours(5, 20), limit=5)
    assert ours <= 1 / 6
    assert ours < share_refused(Scheduler(5, 20, lambda window: 1 / math.sqrt(window)), limit=5) / 2
    assert ours < share_refused(Scheduler(5, 20, lambda _window: 1.0), limit=5) / 3


def test_reports_in_batches_are_no_rougher_than_one_at_a_time() -> None:
    window, refused, total = Window(5.0), 0, 0
    for _ in range(500):
        failures = max(0, window.size - 5)
        refused, total = refused + failures, total + window.size
        window = after(window, successes=window.size - failures, failures=failures)
    assert refused / total <= 1 / 6


def test_a_window_of_successes_adds_a_connection_and_no_less_does() -> None:
    assert after(Window(5.0), successes=4).size == 5
    assert after(Window(5.0), successes=5).allowed == 6.0
    assert after(Window(5.0), successes=5 + 6 + 7).allowed == 8.0


def test_it_grows_to_the_limit_and_stays_there() -> None:
    assert after(Window(5.0), successes=10_000, most=12).allowed == 12.0
    assert after(Window(12.0), successes=10_000, most=12) == Window(12.0)


def test_it_grows_only_while_the_window_is_what_holds_us_back() -> None:
    assert after(Window(5.0), successes=100, in_use=False) == Window(5.0)
    assert after(Window(5.0), successes=100, slots=2) == Window(5.0)


def test_the_first_failure_takes_a_connection_and_pays_for_those_that_follow() -> None:
    window = after(Window(10.0), failures=1)
    assert window.size == 9
    assert after(window, failures=7).size == 9
    assert after(window, failures=8).size == 8


def test_it_never_falls_below_one_connection() -> None:
    assert after(Window(3.0), failures=500).size == 1
    assert after(Window(1.0), failures=1).size == 1


def test_a_full_cohort_of_failures_kills_and_any_success_between_saves() -> None:
    window = after(Window(5.0), failures=4, slots=5)
    assert not window.dead
    assert after(window, failures=1, slots=5).dead
    assert not after(after(window, successes=1), failures=4, slots=5).dead
    assert not after(window, failures=20, successes=1, slots=5).dead


@given(st.integers(1, 20))
def test_a_cohort_is_one_failure_for_each_slot(slots: int) -> None:
    window = Window(20.0)
    for _ in range(slots - 1):
        window = after(window, failures=1, slots=slots)
        assert not window.dead
    assert after(window, failures=1, slots=slots).dead


def test_a_dead_site_rests_twice_as_long_each_time_and_a_success_ends_the_series() -> None:
    window, rests = Window(5.0, failures=1.0), []
    for _ in range(9):
        window, seconds = buried(window)
        rests.append(seconds)
        assert not window.dead
    assert rests[:3] == [UNREACHABLE_FIRST, 120.0, 240.0]
    assert rests[-1] == UNREACHABLE_LONGEST
    _, seconds = buried(after(window, successes=1))
    assert seconds == UNREACHABLE_FIRST


def test_dying_for_ever_overflows_nothing() -> None:
    window = Window(5.0)
    for _ in range(2_000):
        window, seconds = buried(window)
    assert seconds == UNREACHABLE_LONGEST


def test_after_a_suspension_mail_begins_small() -> None:
    assert restarted(Window(18.5, credit=0.5, failures=0.4, dead_times=2), 5) == Window(5.0, dead_times=2)
    assert restarted(Window(2.0), 5).allowed == 2.0


def test_a_lower_limit_holds_at_once() -> None:
    assert bounded(Window(18.5), 10) == Window(10.0)
    assert after(Window(18.0), successes=3, most=10).allowed == 10.0
