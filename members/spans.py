"""When the minutes, hours, days, weeks and months of a time zone begin."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Step = Literal["minute", "hour", "day", "week", "month"]

_APART = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
_WITHIN_NEXT = {"day": 1, "week": 7, "month": 32}
"""Days from the first one of a step to one of the next."""


def beginnings(since: datetime, until: datetime, step: Step, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield when each step of a zone begins, from `since` (the beginning of one) to before `until`, in order."""
    at, end = since, until.astimezone(UTC)
    while at < end:
        yield at
        at = following(at, step, zone)


def following(at: datetime, step: Step, zone: ZoneInfo) -> datetime:
    """Return when the step after the one that begins at `at` begins."""
    if step in _APART:
        # Counted in UTC, so that an hour which a clock skips or repeats is what it is.
        return floor(at.astimezone(UTC) + _APART[step], step, zone)
    noon = datetime(at.year, at.month, at.day, 12, tzinfo=zone)
    return floor(noon + timedelta(days=_WITHIN_NEXT[step]), step, zone)


def floor(at: datetime, step: Step, zone: ZoneInfo) -> datetime:
    """Return the beginning of the step that holds `at`, in the zone; both hours of a clock put back stay apart.

    Weeks begin on Monday (ISO 8601).
    """
    local = at.astimezone(zone)
    if step == "minute":
        return local.replace(second=0, microsecond=0)
    if step == "hour":
        begin = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        return (at - begin).astimezone(zone)
    day = datetime(local.year, local.month, local.day, tzinfo=zone)
    if step == "week":
        day -= timedelta(days=day.weekday())
    return day.replace(day=1) if step == "month" else day
