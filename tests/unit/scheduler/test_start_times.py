from datetime import UTC, datetime, timedelta, timezone

import pytest

from scheduler.campaigns.times import StartTime, UnusableTime, resolve

NOW = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def refusal(at: datetime, zone: str | None = None, *, now: datetime = NOW) -> str:
    with pytest.raises(UnusableTime) as caught:
        resolve(at, zone, now=now)
    (fault,) = caught.value.faults
    return f"{fault.pointer} {fault.code}"


def test_a_local_time_in_tokyo_is_nine_hours_ahead_of_utc() -> None:
    start = resolve(datetime(2026, 12, 1, 9), "Asia/Tokyo", now=NOW)  # noqa: DTZ001 - a local time
    assert start == StartTime(datetime(2026, 12, 1, 0, tzinfo=UTC), "2026-12-01T09:00:00", "Asia/Tokyo")


def test_an_instant_needs_no_zone_and_is_shown_in_one_that_is_named() -> None:
    at = datetime(2026, 12, 1, 9, tzinfo=timezone(timedelta(hours=9)))
    assert resolve(at, None, now=NOW) == StartTime(datetime(2026, 12, 1, tzinfo=UTC), None, None)
    assert resolve(at, "Europe/Berlin", now=NOW).local_time == "2026-12-01T01:00:00"


def test_a_fraction_of_a_second_is_cut_off_and_the_present_second_is_not_past() -> None:
    assert resolve(NOW, None, now=NOW).at == datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_time_in_the_past_is_refused() -> None:
    assert refusal(NOW - timedelta(seconds=1)) == "/at in-the-past"


def test_a_time_more_than_a_year_ahead_is_refused() -> None:
    assert refusal(NOW + timedelta(days=367)) == "/at too-far-ahead"


def test_a_time_without_offset_and_zone_is_refused() -> None:
    assert refusal(datetime(2026, 12, 1, 9)) == "/time_zone required"  # noqa: DTZ001


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../../etc/passwd", "Europe", "A" * 100, "Asia/To\0kyo"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    assert refusal(datetime(2026, 12, 1, 9), zone) == "/time_zone unknown"  # noqa: DTZ001


def test_a_local_time_that_a_clock_change_skips_is_refused() -> None:
    # Berlin goes from 2:00 to 3:00 on 29 March 2026.
    assert refusal(datetime(2026, 3, 29, 2, 30), "Europe/Berlin") == "/at skipped"  # noqa: DTZ001
    late = resolve(datetime(2026, 3, 29, 3, 0), "Europe/Berlin", now=NOW)  # noqa: DTZ001
    assert late.at == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_local_time_that_comes_twice_means_the_first_unless_the_offset_says_otherwise() -> None:
    # Berlin goes from 3:00 back to 2:00 on 25 October 2026.
    first = resolve(datetime(2026, 10, 25, 2, 30), "Europe/Berlin", now=NOW)  # noqa: DTZ001
    assert first.at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    named = datetime(2026, 10, 25, 2, 30, tzinfo=timezone(timedelta(hours=1)))
    second = resolve(named, "Europe/Berlin", now=NOW)
    assert second.at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert second.local_time == first.local_time


def test_the_ends_of_the_calendar_are_refused() -> None:
    assert refusal(datetime(9999, 12, 31, 23), "America/New_York") == "/at out-of-range"  # noqa: DTZ001
    assert refusal(datetime.min.replace(tzinfo=timezone(timedelta(hours=9)))) == "/at out-of-range"
