"""The leaves that facets answer, as jsonpath predicates for `facets @@ $1::jsonpath`.

The whole predicate is one bind parameter: no SQL is put together. Equality of open and matchable attributes, groups and
topics is found through the GIN index (jsonb_path_ops); the rest is a filter on what the index left.
"""

import re
from collections.abc import Iterable

import orjson

from members.facets import GROUPS, MATCH, OPEN, TOPICS, match_token
from members.keyring import Ring
from members.profile import Value
from members.rules.folding import fold, forms
from members.rules.operators import by_facets
from members.rules.tree import All, AnyOf, InGroup, InTopic, Rule, Test

_COMPARISONS = {"less": "<", "before": "<", "greater": ">", "after": ">"}
_NOT_PLAIN = re.compile(r"[\\^$.|?*+()\[\]{}-]")


def leaf(rule: InGroup | InTopic | Test, ring: Ring) -> str:
    """Return the predicate of a leaf, true for exactly the facets that meet it (members/rules/operators.py)."""
    match rule:
        case InGroup(group_id):
            return f"($.{GROUPS}[*] == {literal(str(group_id))})"
        case InTopic(topic_id):
            return f"($.{TOPICS}[*] == {literal(str(topic_id))})"
        case Test():
            return f"({_test(rule, ring)})"


def is_indexed(rule: Rule) -> bool:
    """Whether the GIN index finds who may meet a rule; asked for anything else, all of it is read for nothing."""
    match rule:
        case All(parts):
            return any(map(is_indexed, parts))
        case AnyOf(parts):
            return all(map(is_indexed, parts))
        case InGroup() | InTopic():
            return True
        case Test(attribute, operator, _):
            equality = operator in {"equals", "in"} or (attribute.type == "tags" and operator == "contains")
            return equality and by_facets(rule)
        case _:
            return False


def join(operator: str, parts: Iterable[str]) -> str:
    """Return the parts joined by `&&` or `||`."""
    return f"({f' {operator} '.join(parts)})"


def literal(value: Value) -> str:
    """Return a value as jsonpath reads it: JSON's literals, escapes included."""
    return orjson.dumps(value).decode()


def _test(test: Test, ring: Ring) -> str:
    attribute, values = test.attribute, test.values
    path = f"$.{OPEN if attribute.filtered_as == 'open' else MATCH}.{literal(attribute.key)}"
    match test.operator:
        case "is_set":
            return f"exists({path})" if values[0] else f"!(exists({path}))"
        case "between":
            low, high = map(literal, values)
            # The value is looked up once for both ends: half of the cost.
            return f"exists({path} ? (@ >= {low} && @ <= {high}))"
        case "less" | "greater" | "before" | "after":
            return f"{path} {_COMPARISONS[test.operator]} {literal(values[0])}"
        case "starts_with":
            return f"{path} like_regex {literal('^' + pattern(str(values[0])))}"
        case "contains" if attribute.type == "text":
            return f"{path} like_regex {literal(pattern(str(values[0])))}"
    # equals, in, contains: a value is there under any of its names; lax mode looks into the list of tags by itself.
    names = [name for value in values for name in _names(test, value, ring)]
    found = " || ".join(f"{path} == {literal(name)}" for name in names)
    return f"!({found})" if test.operator == "not_equals" else found


def _names(test: Test, value: Value, ring: Ring) -> list[Value]:
    # While an index key rotates, a matchable value may stand under either version.
    if test.attribute.filtered_as == "open":
        return [value]
    return [match_token(ring, version, test.attribute, value) for version in ring.values]


def pattern(text: str) -> str:
    """Return a regular expression for the text in any case and width, the same whatever the server's locale is."""
    return "".join(map(_letter, fold(text)))


def _letter(letter: str) -> str:
    alike = [re.sub(_NOT_PLAIN, r"\\\g<0>", form) for form in forms(letter)]
    return alike[0] if len(alike) == 1 else f"[{''.join(alike)}]"
