"""What an import was told: mode, encoding, delimiter, zone, groups, time of consent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core import ids
from core.errors import Fault, InvalidInput, NotFound
from members.groups import KIND

Mode = Literal["upsert", "add", "update"]
ENCODINGS = {"utf-8": "utf-8-sig", "cp932": "cp932", "utf-16": "utf-16"}
"""The encodings by the name that is shown, and Python's codec for each."""

_MODES = ("upsert", "add", "update")
_DELIMITERS = (",", "\t", ";")
_KNOWN = {"mode", "encoding", "delimiter", "time_zone", "groups", "consent_at"}
DEFAULT_ZONE = "Asia/Tokyo"


@dataclass(frozen=True, slots=True)
class Options:
    """`add` takes new addresses only, `update` known ones only; None: find out from the file."""

    mode: Mode = "upsert"
    encoding: str | None = None
    delimiter: str | None = None
    time_zone: str = DEFAULT_ZONE
    groups: tuple[UUID, ...] = ()
    consent_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `read_options` reads."""
        return {
            "mode": self.mode,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "time_zone": self.time_zone,
            "groups": [ids.encode(KIND, group) for group in self.groups],
            "consent_at": self.consent_at and self.consent_at.isoformat(),
        }


def read_options(content: Mapping[str, Any]) -> Options:
    """Read options; raise InvalidInput with every fault, pointers `/options/…`. What is absent or null is default."""
    given = {key: value for key, value in content.items() if value is not None}
    faults = [Fault(f"/options/{key}", "unknown-option", "No such option") for key in given.keys() - _KNOWN]
    for key, allowed in (("mode", _MODES), ("encoding", tuple(ENCODINGS)), ("delimiter", _DELIMITERS)):
        if given.get(key, allowed[0]) not in allowed:
            faults.append(Fault(f"/options/{key}", "unknown-value", f"One of: {', '.join(map(repr, allowed))}"))
    zone = given.get("time_zone", DEFAULT_ZONE)
    if not _is_zone(zone):
        faults.append(Fault("/options/time_zone", "unknown-zone", "A zone of the tz database, such as Asia/Tokyo"))
    groups = _read_groups(given.get("groups", []), faults)
    consent_at = _read_moment(given.get("consent_at"), faults)
    if faults:
        raise InvalidInput("The options can't be read", faults)
    mode = cast("Mode", given.get("mode", "upsert"))
    return Options(mode, given.get("encoding"), given.get("delimiter"), zone, groups, consent_at)


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _read_groups(content: object, faults: list[Fault]) -> tuple[UUID, ...]:
    try:
        return tuple(ids.decode(KIND, text) for text in cast("list[str]", content))
    except (NotFound, TypeError, AttributeError):
        faults.append(Fault("/options/groups", "bad-group", "A list of group ids"))
        return ()


def _read_moment(content: object, faults: list[Fault]) -> datetime | None:
    if content is None:
        return None
    try:
        moment = datetime.fromisoformat(cast("str", content))
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        faults.append(Fault("/options/consent_at", "bad-time", "A time with an offset"))
        return None
    return moment
