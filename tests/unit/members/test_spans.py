"""When the minutes, hours, days, weeks and months of a zone begin."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from members.spans import Step, beginnings


def begun(step: Step, zone: str, since: datetime, hours: int) -> list[str]:
    at = since.astimezone(ZoneInfo(zone))
    until = (since + timedelta(hours=hours)).astimezone(ZoneInfo(zone))
    return [begin.strftime("%d %H:%M%z") for begin in beginnings(at, until, step, ZoneInfo(zone))]


@pytest.mark.parametrize(
    ("step", "zone", "since", "hours", "expected"),
    [
        ("hour", "Asia/Tokyo", datetime(2026, 4, 1, tzinfo=UTC), 2, ["01 09:00+0900", "01 10:00+0900"]),
        # The clocks of Berlin go forward on 29 March 2026 and back on 25 October.
        ("hour", "Europe/Berlin", datetime(2026, 3, 29, 0, tzinfo=UTC), 2, ["29 01:00+0100", "29 03:00+0200"]),
        (
            "hour",
            "Europe/Berlin",
            datetime(2026, 10, 25, 0, tzinfo=UTC),
            3,
            ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"],
        ),
        (
            "day",
            "Europe/Berlin",
            datetime(2026, 10, 23, 22, tzinfo=UTC),
            49,
            ["24 00:00+0200", "25 00:00+0200"],
        ),
        ("week", "Asia/Tokyo", datetime(2026, 3, 29, 15, tzinfo=UTC), 24 * 9, ["30 00:00+0900", "06 00:00+0900"]),
        (
            "month",
            "Europe/Berlin",
            datetime(2026, 2, 28, 23, tzinfo=UTC),
            24 * 40,
            ["01 00:00+0100", "01 00:00+0200"],
        ),
    ],
)
def test_each_step_begins_once_also_where_a_clock_is_changed(
    step: Step, zone: str, since: datetime, hours: int, expected: list[str]
) -> None:
    assert begun(step, zone, since, hours) == expected


def test_an_hour_has_its_minutes() -> None:
    made = begun("minute", "Asia/Kathmandu", datetime(2026, 4, 1, 9, tzinfo=UTC), 1)
    assert (len(made), made[0], made[-1]) == (60, "01 14:45+0545", "01 15:44+0545")
