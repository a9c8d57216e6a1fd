"""What an import was told: mode, how to read the file, zone, groups, time of consent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast, get_args
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core import ids
from core.errors import Fault, InvalidInput, NotFound
from members.groups import KIND as GROUP
from members.imports.compression import COMPRESSIONS, Compression
from members.imports.encoding import DELIMITERS, ENCODINGS
from members.topics import KIND as TOPIC

Mode = Literal["upsert", "add", "update", "replace"]
Format = Literal["csv", "jsonl"]

_CHOICES = {
    "mode": get_args(Mode),
    "format": get_args(Format),
    "compression": COMPRESSIONS,
    "encoding": tuple(ENCODINGS),
    "delimiter": DELIMITERS,
}
_KNOWN = {*_CHOICES, "time_zone", "groups", "topics", "consent_at"}
DEFAULT_ZONE = "Asia/Tokyo"


@dataclass(frozen=True, slots=True)
class Options:
    """`add` takes new addresses only, `update` known ones only, `replace` makes a known member's values the file's.

    Of how to read the file None means: find out from it.
    """

    mode: Mode = "upsert"
    format: Format | None = None
    compression: Compression | None = None
    encoding: str | None = None
    delimiter: str | None = None
    time_zone: str = DEFAULT_ZONE
    groups: tuple[UUID, ...] = ()
    topics: tuple[UUID, ...] = ()
    consent_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what `read_options` reads."""
        return {
            "mode": self.mode,
            "format": self.format,
            "compression": self.compression,
            "encoding": self.encoding,
            "delimiter": self.delimiter,
            "time_zone": self.time_zone,
            "groups": [ids.encode(GROUP, group) for group in self.groups],
            "topics": [ids.encode(TOPIC, topic) for topic in self.topics],
            "consent_at": self.consent_at and self.consent_at.isoformat(),
        }


def read_options(content: Mapping[str, Any]) -> Options:
    """Read options; raise InvalidInput with every fault, pointers `/options/…`. What is absent or null is default."""
    given = {key: value for key, value in content.items() if value is not None}
    faults = [Fault(f"/options/{key}", "unknown-option", "No such option") for key in given.keys() - _KNOWN]
    for key, allowed in _CHOICES.items():
        if given.get(key, allowed[0]) not in allowed:
            faults.append(Fault(f"/options/{key}", "unknown-value", f"One of: {', '.join(map(repr, allowed))}"))
    zone = given.get("time_zone", DEFAULT_ZONE)
    if not _is_zone(zone):
        faults.append(Fault("/options/time_zone", "unknown-zone", "A zone of the tz database, such as Asia/Tokyo"))
    groups = _read_ids("groups", GROUP, given, faults)
    topics = _read_ids("topics", TOPIC, given, faults)
    consent_at = _read_moment(given.get("consent_at"), faults)
    if faults:
        raise InvalidInput("The options can't be read", faults)
    chosen = {key: given[key] for key in _CHOICES if key in given}
    return Options(**chosen, time_zone=zone, groups=groups, topics=topics, consent_at=consent_at)


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and bool(ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False


def _read_ids(key: str, kind: str, given: Mapping[str, Any], faults: list[Fault]) -> tuple[UUID, ...]:
    try:
        return tuple(ids.decode(kind, text) for text in cast("list[str]", given.get(key, [])))
    except (NotFound, TypeError, AttributeError):
        faults.append(Fault(f"/options/{key}", "bad-id", f"A list of ids that begin with {kind}_"))
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
