"""Numbers the traits of a run's recipients, and the cells: the sets of traits that some of them share.

Values only. What the vault tells of recipients (members/traits.py) are keys, one for each combination of values. Each
attribute has at most 100 named values a run, each run at most 10,000 cells: a further value is the attribute's `other`,
and a further combination goes to one cell that is `other` in everything. So reports stay small whatever members have.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import orjson

from members.traits import Traits

MOST_VALUES = 100
MOST_CELLS = 10_000
LONGEST_VALUE = 100
NAMELESS = 0
"""The trait of whoever nothing is known of."""

Dimension = Literal["segment", "group", "attribute"]
Part = Literal["value", "none", "other"]


class Trait(NamedTuple):
    """One value of an attribute (`name`: its key), a segment, or a group; or that there is none, or one too many."""

    dimension: Dimension
    name: str
    part: Part
    value: str | None


class Cell(NamedTuple):
    """A set of traits by their numbers. `key`: what the vault told of who is in it; None for all further keys."""

    no: int
    key: str | None
    traits: tuple[int, ...]


@dataclass(slots=True)
class Numbering:
    """The numbers of one run: those that are stored, and in `new_traits` and `new_cells` those that came since."""

    asked: Traits
    traits: dict[Trait, int]
    cells: dict[str | None, int]
    new_traits: dict[Trait, int] = field(default_factory=dict)
    new_cells: list[Cell] = field(default_factory=list)

    def add(self, keys: Iterable[str]) -> Mapping[str, int]:
        """Return the number of each key's cell, made if there is none yet."""
        return {key: self._cell(key) for key in keys}

    def _cell(self, key: str) -> int:
        found = self.cells.get(key)
        if found is not None:
            return found
        if len(self.cells) < MOST_CELLS:
            return self._made(key, tuple(self._number(trait) for trait in self._of(orjson.loads(key))))
        rest = self.cells.get(None)
        return self._made(None, (NAMELESS,)) if rest is None else rest

    def _made(self, key: str | None, traits: tuple[int, ...]) -> int:
        number = self.cells[key] = len(self.cells) + 1
        self.new_cells.append(Cell(number, key, traits))
        return number

    def _number(self, trait: Trait) -> int:
        found = self.traits.get(trait)
        if found is None:
            found = self.traits[trait] = self.new_traits[trait] = len(self.traits) + 1
        return found

    def _of(self, told: Sequence[str | None]) -> list[Trait]:
        """Return the traits that a key tells, of each attribute one, of segments and groups at least one."""
        attributes, segments = len(self.asked.attributes), len(self.asked.segments)
        found = [self._attribute(name, value) for name, value in zip(self.asked.attributes, told, strict=False)]
        held = told[attributes : attributes + segments]
        of = [str(segment) for (segment, _), holds in zip(self.asked.segments, held, strict=True) if holds == "true"]
        if self.asked.segments:
            found += _named("segment", of)
        if self.asked.groups:
            found += _named("group", [str(group) for group in told[attributes + segments :]])
        return found

    def _attribute(self, name: str, value: str | None) -> Trait:
        if value is None:
            return Trait("attribute", name, "none", None)
        trait = Trait("attribute", name, "value", value)
        if trait in self.traits:
            return trait
        values = sum(one.name == name and one.part == "value" for one in self.traits)
        fits = values < MOST_VALUES and len(value) <= LONGEST_VALUE and "\0" not in value
        return trait if fits else Trait("attribute", name, "other", None)


def _named(dimension: Dimension, values: Sequence[str]) -> list[Trait]:
    return [Trait(dimension, "", "value", value) for value in values] or [Trait(dimension, "", "none", None)]
