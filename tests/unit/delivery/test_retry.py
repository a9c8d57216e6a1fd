import pytest

from delivery.retry import RetrySchedule

SCHEDULE = RetrySchedule(first=300, cap=4 * 3600, total=72 * 3600)


def test_delays_double_from_five_minutes_to_four_hours() -> None:
    delays = [SCHEDULE.delay(attempt, age=0, jitter=0) for attempt in range(1, 10)]
    assert delays == [300, 600, 1200, 2400, 4800, 9600, 14400, 14400, 14400]


def test_jitter_lengthens_a_delay_by_up_to_a_fifth() -> None:
    assert SCHEDULE.delay(1, age=0, jitter=0.5) == pytest.approx(330)


def test_a_message_is_given_up_when_its_next_try_would_be_past_the_total() -> None:
    assert SCHEDULE.delay(8, age=72 * 3600 - 14_399, jitter=0) is None
    assert SCHEDULE.delay(8, age=72 * 3600 - 14_401, jitter=0) == 14_400


def test_a_very_long_row_of_failures_does_not_overflow() -> None:
    assert SCHEDULE.delay(5_000, age=0, jitter=0) == 14_400
