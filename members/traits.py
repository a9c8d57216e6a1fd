"""What a run's reports tell its recipients apart by: open attributes, groups, and segments that only open parts decide.

A campaign says so in `report_by`; where it leaves a part out, these are taken: the account's open attributes of the
types choice and boolean, all of its groups, and the segments that the audience names. A slice of the audience bears for
each recipient a key of what holds for it, a JSON list: each attribute's value in its place, then `"true"` or `"false"`
for each segment, then the groups. Nothing sealed or matchable comes into it: a segment that asks for one is refused
where it is named, and not taken otherwise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar
from uuid import UUID

from core import ids
from core.errors import Fault, InvalidInput
from members.attribute import Attribute
from members.groups import KIND as GROUP
from members.keyring import Ring
from members.rules.plan import plan
from members.rules.reading import SEGMENT, Vocabulary, read_rule
from members.rules.tree import All, AnyOf, InGroup, InTopic, Not, Rule, Test

MOST_ATTRIBUTES = 8
MOST_SEGMENTS = 20
MOST_GROUPS = 100

BY_DEFAULT = frozenset({"choice", "boolean"})
"""Types of attributes that have few values."""
_SINGLE = BY_DEFAULT | {"text", "number"}
Found = TypeVar("Found")
_PARTS = {"attributes": MOST_ATTRIBUTES, "segments": MOST_SEGMENTS, "groups": MOST_GROUPS}


@dataclass(frozen=True, slots=True)
class Traits:
    """Attributes by their keys, segments each with the jsonpath over facets that decides it, and groups."""

    attributes: tuple[str, ...] = ()
    segments: tuple[tuple[UUID, str], ...] = ()
    groups: tuple[UUID, ...] = ()

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` wrote."""
        return cls(
            tuple(document["attributes"]),
            tuple((UUID(segment), path) for segment, path in document["segments"]),
            tuple(map(UUID, document["groups"])),
        )

    def document(self) -> Mapping[str, Any]:
        """Return this as JSON."""
        return {
            "attributes": list(self.attributes),
            "segments": [[str(segment), path] for segment, path in self.segments],
            "groups": list(map(str, self.groups)),
        }

    @property
    def asked(self) -> tuple[list[str] | None, list[str], list[str]]:
        """What `app.traits` takes: keys, jsonpaths, groups; no keys at all if there is nothing to tell apart."""
        keys = list(self.attributes) if self.attributes or self.segments or self.groups else None
        return keys, [path for _, path in self.segments], list(map(str, self.groups))


NO_TRAITS = Traits()
"""Of an audience whose members nothing tells apart."""


def choose_traits(
    known: Vocabulary,
    ring: Ring,
    now: datetime,
    *,
    groups: Sequence[UUID],
    audience: Mapping[str, Any],
    report_by: Mapping[str, Any] | None,
) -> Traits:
    """Return what a campaign is reported by; `groups` are all of the account's, oldest first.

    Raises InvalidInput with a fault for each name of `report_by` that is not there, or not open.
    """
    said = report_by or {}
    faults = [
        Fault(f"/{part}", "length", f"At most {most}")
        for part, most in _PARTS.items()
        if len(said.get(part) or ()) > most
    ]
    chosen = _Choosing(known, ring, now, faults)
    found = Traits(
        chosen.each(said, "attributes", chosen.attribute) if "attributes" in said else chosen.attributes(),
        chosen.each(said, "segments", chosen.segment) if "segments" in said else chosen.segments(audience),
        chosen.each(said, "groups", chosen.group) if "groups" in said else tuple(groups[:MOST_GROUPS]),
    )
    if faults:
        raise InvalidInput("The campaign can't be reported by this", faults)
    return found


class _Choosing:
    """Finds what is named, and notes what is not there."""

    def __init__(self, known: Vocabulary, ring: Ring, now: datetime, faults: list[Fault]) -> None:
        self._known = known
        self._ring = ring
        self._now = now
        self._faults = faults

    def each(self, said: Mapping[str, Any], part: str, find: Callable[[str], Found]) -> tuple[Found, ...]:
        """Find each name of a part, once."""
        found: dict[Found, None] = {}
        for number, name in enumerate(said[part]):
            try:
                found[find(name)] = None
            except InvalidInput as error:
                code = error.faults[0].code if error.faults else "unknown"
                self._faults.append(Fault(f"/{part}/{number}", code, error.detail))
        return tuple(found)

    def attribute(self, name: str) -> str:
        """Return an attribute's key."""
        attribute = self._known.definitions.named(name)
        if attribute is None:
            raise _refusal("unknown", "There is no such attribute")
        if attribute.filtered_as != "open" or attribute.type not in _SINGLE:
            raise _refusal("not-open", "Only open attributes of one value: text, number, choice or boolean")
        return attribute.key

    def attributes(self) -> tuple[str, ...]:
        """Return those that have few values."""
        return tuple(key for key, one in self._known.definitions.items() if _has_few(one))[:MOST_ATTRIBUTES]

    def segment(self, shown: str) -> tuple[UUID, str]:
        """Return a segment and the jsonpath that decides it."""
        rule = read_rule({"segment": shown}, self._known)
        if not is_open(rule):
            raise _refusal("not-open", "Its rule asks for more than open attributes, groups and topics")
        path = plan(rule, self._ring, self._now).path
        if path is None:
            raise _refusal("not-open", "Its rule asks for nothing")
        return ids.decode(SEGMENT, shown), path

    def segments(self, audience: Mapping[str, Any]) -> tuple[tuple[UUID, str], ...]:
        """Return those that the audience names, as far as they are open."""
        found = []
        for shown in audience.get("segments") or ():
            try:
                found.append(self.segment(shown))
            except InvalidInput:
                continue
        return tuple(dict.fromkeys(found))[:MOST_SEGMENTS]

    def group(self, shown: str) -> UUID:
        """Return a group."""
        read_rule({"group": shown}, self._known)
        return ids.decode(GROUP, shown)


def is_open(rule: Rule) -> bool:
    """Whether open attributes, groups and topics alone decide a rule."""
    match rule:
        case All(parts) | AnyOf(parts):
            return all(map(is_open, parts))
        case Not(part):
            return is_open(part)
        case InGroup() | InTopic():
            return True
        case Test(attribute):
            return attribute.filtered_as == "open"
        case _:
            return False


def _has_few(attribute: Attribute) -> bool:
    return attribute.filtered_as == "open" and attribute.type in BY_DEFAULT


def _refusal(code: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, [Fault("", code, detail)])
