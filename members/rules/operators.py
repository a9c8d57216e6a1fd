"""The operators of a rule: which types each is for, which facets can answer, and when a value meets one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from members.attribute import AttributeType
from members.rules.folding import fold
from members.rules.tree import Test

Met = Callable[[Any], bool]
"""Whether a member's value, None if there is none, meets a test."""

MAX_DAYS = 36_500
_ORDERED: frozenset[AttributeType] = frozenset({"number", "date", "datetime"})
_TIMES: frozenset[AttributeType] = frozenset({"date", "datetime"})
_SINGLE: frozenset[AttributeType] = frozenset({"text", "number", "boolean", "date", "datetime", "choice"})

TYPES: Mapping[str, frozenset[AttributeType]] = {
    "equals": _SINGLE,
    "not_equals": _SINGLE,
    "in": _SINGLE,
    "between": _ORDERED,
    "less": frozenset({"number"}),
    "greater": frozenset({"number"}),
    "before": _TIMES,
    "after": _TIMES,
    "within_days": _TIMES,
    "contains": frozenset({"tags", "text"}),
    "starts_with": frozenset({"text"}),
    "is_set": _SINGLE | {"tags"},
}
_BY_KEYED_HASH = frozenset({"equals", "not_equals", "in", "is_set"})


def by_facets(test: Test) -> bool:
    """Whether a member's facets alone say if the test holds; otherwise the member has to be opened."""
    attribute = test.attribute
    if attribute.filtered_as == "matchable":
        return test.operator in _BY_KEYED_HASH or attribute.type == "tags"
    return attribute.filtered_as == "open"


def met(test: Test) -> Met:
    """Return what decides the test for one value. A missing value meets `not_equals` and `"is_set": false` alone."""
    if test.operator == "contains" and test.attribute.type == "text":
        return _contains_text(test.values)
    return _MET[test.operator](test.values)


def _is_set(wanted: Sequence[Any]) -> Met:
    return (lambda value: value is not None) if wanted[0] else (lambda value: value is None)


def _contains_text(wanted: Sequence[Any]) -> Met:
    part = fold(wanted[0])
    return lambda value: value is not None and part in fold(value)


def _starts_with(wanted: Sequence[Any]) -> Met:
    start = fold(wanted[0])
    return lambda value: value is not None and fold(value).startswith(start)


def _between(wanted: Sequence[Any]) -> Met:
    low, high = wanted
    return lambda value: value is not None and low <= value <= high


def _below(wanted: Sequence[Any]) -> Met:
    (bound,) = wanted
    return lambda value: value is not None and value < bound


def _above(wanted: Sequence[Any]) -> Met:
    (bound,) = wanted
    return lambda value: value is not None and value > bound


_MET: Mapping[str, Callable[[Sequence[Any]], Met]] = {
    "equals": lambda wanted: lambda value: value == wanted[0],
    "not_equals": lambda wanted: lambda value: value != wanted[0],
    "in": lambda wanted: frozenset(wanted).__contains__,
    "between": _between,
    "less": _below,
    "greater": _above,
    "before": _below,
    "after": _above,
    "contains": lambda wanted: lambda value: value is not None and wanted[0] in value,
    "starts_with": _starts_with,
    "is_set": _is_set,
}
