"""When a campaign starts: an instant, or a local time in a zone, resolved once and explicitly.

A local time that a clock change skips is refused; one that it repeats means the first of the two, unless the caller
names the second by its offset.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from core.errors import Fault, InvalidInput

FARTHEST = timedelta(days=366)
_LONGEST_ZONE = 64


class UnusableTime(InvalidInput):
    """The start can't be at this time; the fault says why."""

    code = "unusable-time"
    title = "The campaign can't start at this time"


@dataclass(frozen=True, slots=True)
class StartTime:
    """`at` in UTC to the second; `local_time` (ISO 8601 without offset) and `time_zone` as its people read it."""

    at: datetime
    local_time: str | None
    time_zone: str | None


def resolve(at: datetime, time_zone: str | None, *, now: datetime) -> StartTime:
    """Return the start that `at` (aware, or naive in `time_zone`) names; raise UnusableTime.

    A fraction of a second is cut off. The second that is now is still taken; an earlier one and one more than a year
    ahead of `now` are not.
    """
    zone = _zone(time_zone) if time_zone is not None else None
    at = at.replace(microsecond=0)
    if at.tzinfo is None:
        if zone is None:
            raise _fault("/time_zone", "required", "A time without an offset needs a time zone")
        at = _instant(at, zone)
    try:
        instant = at.astimezone(UTC)
        local = instant.astimezone(zone).replace(tzinfo=None).isoformat() if zone else None
    except OverflowError:
        raise _fault("/at", "out-of-range", "The time is out of range") from None
    if instant < now.replace(microsecond=0):
        raise _fault("/at", "in-the-past", "The time is in the past")
    if instant > now + FARTHEST:
        raise _fault("/at", "too-far-ahead", "The time is more than a year ahead")
    return StartTime(instant, local, time_zone)


def seconds_until(at: datetime, *, now: datetime) -> float:
    """Return the seconds from `now` to `at` (both aware); raise InvalidInput if it is past or over a year ahead."""
    if at <= now:
        detail = "The time is in the past"
        raise InvalidInput(detail, [Fault("/until", "in-the-past", detail)])
    if at - now > FARTHEST:
        detail = "The time is more than a year ahead"
        raise InvalidInput(detail, [Fault("/until", "too-far-ahead", detail)])
    return (at - now).total_seconds()


def _zone(name: str) -> ZoneInfo:
    if len(name) <= _LONGEST_ZONE:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            # What zoneinfo raises for a name that is none, for one that leaves its folder, and for a folder's name.
            pass
    raise _fault("/time_zone", "unknown", "The time zone is not in the IANA database")


def _instant(local: datetime, zone: ZoneInfo) -> datetime:
    at = local.replace(tzinfo=zone)
    try:
        # A skipped local time does not survive the way to UTC and back.
        exists = at.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
    except OverflowError:
        raise _fault("/at", "out-of-range", "The time is out of range") from None
    if not exists:
        raise _fault("/at", "skipped", "A clock change skips this local time in this zone")
    return at


def _fault(pointer: str, code: str, detail: str) -> UnusableTime:
    return UnusableTime(detail, [Fault(pointer, code, detail)])
