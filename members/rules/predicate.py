"""Rules over opened members: a tree of tests as one function of a member's values."""

from collections.abc import Callable, Mapping
from functools import reduce

from members.profile import Value
from members.rules.operators import met
from members.rules.tree import All, AnyOf, Not, Rule, Test

Predicate = Callable[[Mapping[str, Value]], bool]
"""Whether a member with these values meets the rule."""


def predicate(rule: Rule) -> Predicate:
    """Return what decides a rule made of attribute tests alone; raise TypeError for any other leaf."""
    match rule:
        case All(parts):
            return reduce(_both, map(predicate, parts))
        case AnyOf(parts):
            return reduce(_either, map(predicate, parts))
        case Not(part):
            holds = predicate(part)
            return lambda values: not holds(values)
        case Test():
            key, decide = rule.attribute.key, met(rule)
            return lambda values: decide(values.get(key))
        case _:
            raise TypeError(f"{type(rule).__name__} is not answered by opening members")


# Two by two: all() over a generator expression costs as much as the tests in it.


def _both(one: Predicate, other: Predicate) -> Predicate:
    return lambda values: one(values) and other(values)


def _either(one: Predicate, other: Predicate) -> Predicate:
    return lambda values: one(values) or other(values)
