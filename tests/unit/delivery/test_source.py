import pytest

from delivery.smtp.peer import Timeouts
from delivery.source import FIRST_PAUSE, Source


def source() -> Source:
    return Source(source_id=1, name="mx1", weight=1, ehlo_name="mx1.example", timeouts=Timeouts())


def test_of_connections_that_fail_together_one_counts() -> None:
    one = source()
    pauses = [one.set_aside(100.0, jitter=0.5) for _ in range(10)]
    assert pauses == [pytest.approx(pauses[0])] * 10
    assert pauses[0] <= FIRST_PAUSE
    assert not one.able(100.0)
    assert one.able(100.0 + FIRST_PAUSE)


def test_each_round_that_fails_is_followed_by_a_longer_pause_until_one_does_not() -> None:
    one, now, pauses = source(), 100.0, []
    for _ in range(4):
        pauses.append(one.set_aside(now, jitter=0.5))
        now += pauses[-1]
    assert pauses == sorted(set(pauses))
    one.well()
    assert one.set_aside(now, jitter=0.5) == pauses[0]
