"""Rules over opened members: a tree of tests as one function of a member's values."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import product

import orjson

from members.profile import Value
from members.rules.folding import forms
from members.rules.operators import met
from members.rules.tree import All, AnyOf, Not, Rule, Test

Predicate = Callable[[Mapping[str, Value]], bool]
"""Whether a member with these values meets the rule."""

_MOST_TRACES = 2


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


def traces(rule: Rule) -> frozenset[bytes] | None:
    """Return bytes of which some stand in the stored JSON of everyone who meets the rule; None: nothing is known.

    To look for bytes costs a quarter of reading the JSON, and most rules find few. Two at most: a third costs more
    than it spares. orjson writes a text letter by letter, so that a part of a text is a part of its JSON.
    """
    match rule:
        case All(parts):
            return min(_known(parts), key=len, default=None)
        case AnyOf(parts):
            known = _known(parts)
            return _few(frozenset[bytes]().union(*known)) if len(known) == len(parts) else None
        case Test():
            return _traces(rule)
        case _:
            return None


def _known(parts: Sequence[Rule]) -> list[frozenset[bytes]]:
    return [found for part in parts if (found := traces(part)) is not None]


def _traces(test: Test) -> frozenset[bytes] | None:
    if not all(isinstance(value, str) for value in test.values):
        return None
    written = frozenset(map(orjson.dumps, test.values))
    if test.operator in {"equals", "in"} or test.attribute.type == "tags":
        return _few(written)
    if test.operator in {"contains", "starts_with"}:
        return _written_ways(str(test.values[0]))
    return None


def _written_ways(text: str) -> frozenset[bytes] | None:
    """Return all that may stand for the part of a text that says most in few ways of writing it.

    Any part will do, since who has the text has each part of it, in one of its letters' forms.
    """
    longest, fewest = "", 1
    for start in range(len(text)):
        ways = 1
        for end in range(start, len(text)):
            ways *= len(forms(text[end]))
            if ways > _MOST_TRACES:
                break
            part = text[start : end + 1]
            if (len(part), -ways) > (len(longest), -fewest):
                longest, fewest = part, ways
    if not longest:
        return None
    return frozenset(orjson.dumps("".join(way))[1:-1] for way in product(*map(forms, longest)))


def _few(found: frozenset[bytes]) -> frozenset[bytes] | None:
    return found if len(found) <= _MOST_TRACES else None
