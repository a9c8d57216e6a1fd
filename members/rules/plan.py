"""Plans: a rule as one jsonpath over a member's facets and the numbers of the sets that the member is in.

What facets can't answer (sealed values, consent, status, engagement) becomes a numbered set of members; the jsonpath
asks `$sets[*] == 3`. A part of the tree that is answered by opening members is one set as a whole, so that one scan
answers all there is to scan, and each member is opened once.

Whoever meets the rule meets `may` too, whatever the sets turn out to hold: the sets are made of those members alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from members.keyring import Ring
from members.rules.jsonpath import is_indexed, join, leaf
from members.rules.moment import at_moment
from members.rules.operators import by_facets
from members.rules.tree import All, AnyOf, InGroup, InTopic, Not, Rule, Test

Asked: TypeAlias = Rule
"""What a set is of: Consented, HasStatus, Mailed, LastSeen, or a tree of tests that takes opening members."""

UNREADABLE = -1
"""The set of those who had to be opened and could not be: they are of no audience that had to open them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a rule is answered: `path` over facets and sets (None: everyone), `may` over facets, sets by position.

    `indexed`: the GIN index over facets finds who may meet it. `in_sets`: only who is in a set can meet it.
    """

    path: str | None
    may: str | None
    sets: tuple[Asked, ...]
    indexed: bool
    in_sets: bool = False

    @property
    def scanned(self) -> tuple[tuple[int, Asked], ...]:
        """The sets that are made by opening members, with their numbers."""
        return tuple((number, asked) for number, asked in enumerate(self.sets) if is_scanned(asked))


def plan(rule: Rule | None, ring: Ring, now: datetime) -> Plan:
    """Plan a rule (None: everyone) as of `now`, by which `within_days` is counted."""
    if rule is None:
        return Plan(None, None, (), indexed=False)
    planning = _Planning(ring)
    found = planning.node(at_moment(rule, now))
    path = found.path
    if any(map(is_scanned, planning.sets)):
        path = join("&&", (path, f"!($sets[*] == {UNREADABLE})"))
    return Plan(path, found.may, tuple(planning.sets), is_indexed(rule), in_sets=found.in_sets)


def is_scanned(rule: Rule) -> bool:
    """Whether all of a tree is answered by opening members."""
    match rule:
        case All(parts) | AnyOf(parts):
            return all(map(is_scanned, parts))
        case Not(part):
            return is_scanned(part)
        case Test():
            return not by_facets(rule)
        case _:
            return False


class _Bounds(NamedTuple):
    """A predicate, and two over facets alone: it implies `may` (None: true) and is implied by `must` (None: false).

    `in_sets`: it is false for whoever is in no set; where that is not known, False.
    """

    path: str
    may: str | None
    must: str | None
    in_sets: bool


class _Planning:
    """One pass over a tree, numbering the sets that it takes."""

    def __init__(self, ring: Ring) -> None:
        self.sets: list[Asked] = []
        self._ring = ring

    def node(self, rule: Rule) -> _Bounds:
        if is_scanned(rule):
            return self._set(rule)
        match rule:
            case All(parts):
                found = self._parts(parts, All)
                may = [part.may for part in found if part.may is not None]
                must = [part.must for part in found if part.must is not None]
                return _Bounds(
                    join("&&", (part.path for part in found)),
                    join("&&", may) if may else None,
                    join("&&", must) if len(must) == len(found) else None,
                    any(part.in_sets for part in found),
                )
            case AnyOf(parts):
                found = self._parts(parts, AnyOf)
                may = [part.may for part in found if part.may is not None]
                must = [part.must for part in found if part.must is not None]
                return _Bounds(
                    join("||", (part.path for part in found)),
                    join("||", may) if len(may) == len(found) else None,
                    join("||", must) if must else None,
                    all(part.in_sets for part in found),
                )
            case Not(part):
                path, may_, must_, _ = self.node(part)
                return _Bounds(f"!({path})", must_ and f"!({must_})", may_ and f"!({may_})", in_sets=False)
            case InGroup() | InTopic() | Test():
                known = leaf(rule, self._ring)
                return _Bounds(known, known, known, in_sets=False)
            case _:
                return self._set(rule)

    def _parts(self, parts: Sequence[Rule], kind: type[All] | type[AnyOf]) -> list[_Bounds]:
        """Plan the parts, those to be scanned as one."""
        scanned = tuple(part for part in parts if is_scanned(part))
        found = [self.node(part) for part in parts if not is_scanned(part)]
        return [*found, self.node(kind(scanned))] if scanned else found

    def _set(self, asked: Asked) -> _Bounds:
        self.sets.append(asked)
        return _Bounds(f"($sets[*] == {len(self.sets) - 1})", None, None, in_sets=True)
