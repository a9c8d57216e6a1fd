"""Segment rules: a tree of JSON, read and checked against the account's attributes and groups.

    {"all": [rule, …]}   {"any": [rule, …]}   {"not": rule}   {"group": "grp_…"}
    {"attribute": "city", "equals": "tokyo"}

Operators: `equals`, `not_equals`, `in` (a list), `is_set` (true or false), for numbers, dates and times `between`
(both ends included), for numbers `less` and `greater`, for dates and times `before` and `after`, for tags `contains`.
A member without a value meets no operator but `not_equals` and `"is_set": false`. Faults name their node by JSON
pointer (RFC 6901), all at once.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID

from core import ids
from core.errors import Fault, InvalidInput, NotFound
from members.attribute import Attribute, AttributeType, Definitions
from members.errors import SealedAttribute, WrongValue
from members.groups import KIND
from members.profile import Value
from members.values import from_json

MAX_DEPTH = 10
MAX_NODES = 200
MAX_LIST = 500

_ORDERED: frozenset[AttributeType] = frozenset({"number", "date", "datetime"})
_TIMES: frozenset[AttributeType] = frozenset({"date", "datetime"})
_SINGLE: frozenset[AttributeType] = frozenset({"text", "number", "boolean", "date", "datetime", "choice"})
_TYPES: Mapping[str, frozenset[AttributeType]] = {
    "equals": _SINGLE,
    "not_equals": _SINGLE,
    "in": _SINGLE,
    "between": _ORDERED,
    "less": frozenset({"number"}),
    "greater": frozenset({"number"}),
    "before": _TIMES,
    "after": _TIMES,
    "contains": frozenset({"tags"}),
    "is_set": _SINGLE | {"tags"},
}
_MATCHABLE = frozenset({"equals", "not_equals", "in", "contains", "is_set"})
_BETWEEN = 2


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Rule"


@dataclass(frozen=True, slots=True)
class InGroup:
    """The member is in the group."""

    group_id: UUID


@dataclass(frozen=True, slots=True)
class Test:
    """An attribute compared with values in their stored forms; `is_set` has one boolean."""

    attribute: Attribute
    operator: str
    values: tuple[Value, ...]


Rule: TypeAlias = All | AnyOf | Not | InGroup | Test


def read_rule(content: object, definitions: Definitions, groups: Container[UUID], pointer: str = "") -> Rule:
    """Read a rule; raise InvalidInput with all faults, SealedAttribute if sealed attributes are all that is wrong."""
    reading = _Reading(definitions, groups)
    rule = reading.node(content, pointer, 1)
    if rule is None or reading.faults:
        sealed = all(fault.code == SealedAttribute.code for fault in reading.faults)
        raise (SealedAttribute if sealed else InvalidInput)("The rule can't be applied", reading.faults)
    return rule


class _Reading:
    """One pass over a tree; a node at fault is None and noted in `faults`."""

    def __init__(self, definitions: Definitions, groups: Container[UUID]) -> None:
        self.definitions = definitions
        self.groups = groups
        self.faults: list[Fault] = []
        self.nodes = 0

    def fault(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(pointer, code, detail))

    def node(self, content: object, pointer: str, depth: int) -> Rule | None:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            if not any(fault.code == "too-large" for fault in self.faults):
                self.fault(pointer, "too-large", f"At most {MAX_DEPTH} levels and {MAX_NODES} nodes")
            return None
        if not isinstance(content, Mapping):
            self.fault(pointer, "not-a-rule", "A rule is an object")
            return None
        if "attribute" in content:
            return self.test(content, pointer)
        kinds: Mapping[str, Callable[[object, str, int], Rule | None]] = {
            "all": self.branch,
            "any": self.branch,
            "not": self.negation,
            "group": self.in_group,
        }
        if len(content) != 1 or next(iter(content)) not in kinds:
            self.fault(pointer, "not-a-rule", "A rule has one of: all, any, not, group, attribute")
            return None
        kind = next(iter(content))
        return kinds[kind](content[kind], f"{pointer}/{kind}", depth)

    def branch(self, content: object, pointer: str, depth: int) -> Rule | None:
        if not isinstance(content, list) or not content:
            self.fault(pointer, "not-a-list", "A list of at least one rule")
            return None
        parts = [self.node(part, f"{pointer}/{number}", depth + 1) for number, part in enumerate(content)]
        good = tuple(part for part in parts if part is not None)
        if len(good) < len(parts):
            return None
        return All(good) if pointer.endswith("all") else AnyOf(good)

    def negation(self, content: object, pointer: str, depth: int) -> Rule | None:
        part = self.node(content, pointer, depth + 1)
        return None if part is None else Not(part)

    def in_group(self, content: object, pointer: str, _: int) -> Rule | None:
        try:
            group_id = ids.decode(KIND, content) if isinstance(content, str) else None
        except NotFound:
            group_id = None
        if group_id is None or group_id not in self.groups:
            self.fault(pointer, "unknown-group", "The account has no such group")
            return None
        return InGroup(group_id)

    def test(self, content: Mapping[str, Any], pointer: str) -> Rule | None:
        operators = [key for key in content if key != "attribute"]
        if len(operators) != 1 or operators[0] not in _TYPES:
            self.fault(pointer, "unknown-operator", f"With attribute stands one of: {', '.join(_TYPES)}")
            return None
        operator, name = operators[0], content["attribute"]
        attribute = self.definitions.get(name) if isinstance(name, str) else None
        if attribute is None:
            self.fault(f"{pointer}/attribute", "unknown-attribute", "The account has no such attribute")
            return None
        if attribute.filtered_as == "sealed":
            detail = "A sealed attribute can't be filtered by: make it matchable or open"
            if attribute.resealing is not None:
                detail = "Its protection was changed and members are being brought over: wait until that is done"
            self.fault(f"{pointer}/attribute", SealedAttribute.code, detail)
            return None
        if attribute.type not in _TYPES[operator]:
            self.fault(f"{pointer}/{operator}", "wrong-operator", f"Not for the type {attribute.type}")
            return None
        if attribute.protection == "matchable" and operator not in _MATCHABLE:
            self.fault(f"{pointer}/{operator}", "wrong-operator", "Not for a matchable attribute: equality only")
            return None
        values = self.values(attribute, operator, content[operator], f"{pointer}/{operator}")
        return None if values is None else Test(attribute, operator, values)

    def values(self, attribute: Attribute, operator: str, content: object, pointer: str) -> tuple[Value, ...] | None:
        if operator == "is_set":
            if isinstance(content, bool):
                return (content,)
            self.fault(pointer, "wrong-value", "true or false")
            return None
        if operator not in {"in", "between"}:
            value = self.value(attribute, content, pointer)
            return None if value is None else (value,)
        if not isinstance(content, list) or not 0 < len(content) <= MAX_LIST:
            self.fault(pointer, "not-a-list", f"A list of 1 to {MAX_LIST} values")
            return None
        if operator == "between" and len(content) != _BETWEEN:
            self.fault(pointer, "not-a-pair", "A list of two values: from, to")
            return None
        values = [self.value(attribute, item, f"{pointer}/{number}") for number, item in enumerate(content)]
        good = tuple(value for value in values if value is not None)
        return good if len(good) == len(values) else None

    def value(self, attribute: Attribute, content: object, pointer: str) -> Value | None:
        try:
            if attribute.type == "tags":
                content = [content]
            value = from_json(attribute, content)
        except WrongValue as error:
            self.fault(pointer, error.code, error.detail)
            return None
        if value == []:
            self.fault(pointer, WrongValue.code, "A tag is not empty")
            return None
        return value[0] if isinstance(value, list) else value
