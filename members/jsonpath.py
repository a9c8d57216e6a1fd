"""Rules as jsonpath predicates over a member's facets, for `facets @@ $1::jsonpath`.

The whole predicate is one bind parameter: no SQL is put together. Equality of open and matchable attributes and of
groups is found through the GIN index (jsonb_path_ops); the rest is a filter on what the index left.
"""

from collections.abc import Iterable

import orjson

from members.facets import GROUPS, MATCH, OPEN, match_token
from members.keyring import Ring
from members.profile import Value
from members.rules import All, AnyOf, InGroup, Not, Rule, Test

_COMPARISONS = {"less": "<", "before": "<", "greater": ">", "after": ">"}


def compile_rule(rule: Rule, ring: Ring) -> str:
    """Return the jsonpath predicate of a rule, true for exactly the facets that meet it."""
    match rule:
        case All(parts):
            return _join(" && ", (compile_rule(part, ring) for part in parts))
        case AnyOf(parts):
            return _join(" || ", (compile_rule(part, ring) for part in parts))
        case Not(part):
            return f"!({compile_rule(part, ring)})"
        case InGroup(group_id):
            return f"($.{GROUPS}[*] == {_literal(str(group_id))})"
        case Test():
            return _compile_test(rule, ring)


def _compile_test(test: Test, ring: Ring) -> str:
    attribute = test.attribute
    path = f"$.{OPEN if attribute.protection == 'open' else MATCH}.{_literal(attribute.name)}"
    match test.operator:
        case "is_set":
            return f"exists({path})" if test.values[0] else f"!(exists({path}))"
        case "between":
            low, high = map(_literal, test.values)
            return f"({path} >= {low} && {path} <= {high})"
        case "less" | "greater" | "before" | "after":
            return f"({path} {_COMPARISONS[test.operator]} {_literal(test.values[0])})"
    # equals, in, contains: a value is there under any of its names; lax mode looks into the list of tags by itself.
    names = [name for value in test.values for name in _names(test, value, ring)]
    found = _join(" || ", (f"{path} == {_literal(name)}" for name in names))
    return f"!({found})" if test.operator == "not_equals" else found


def _names(test: Test, value: Value, ring: Ring) -> list[Value]:
    # While an index key rotates, a matchable value may stand under either version.
    if test.attribute.protection == "open":
        return [value]
    return [match_token(ring, version, test.attribute, value) for version in ring.values]


def _join(operator: str, parts: Iterable[str]) -> str:
    return f"({operator.join(parts)})"


def _literal(value: Value) -> str:
    # jsonpath reads JSON's literals, escapes included.
    return orjson.dumps(value).decode()
