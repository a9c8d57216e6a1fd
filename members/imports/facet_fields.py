"""Facets of many new members as fields of a COPY: what stands open or matchable repeats down a file, names do not."""

from collections.abc import Collection, Mapping
from uuid import UUID

import orjson

from members.attribute import Definitions
from members.binary_copy import field
from members.facets import make_facets
from members.keyring import Ring
from members.profile import Value

_MAX_KNOWN = 16_384
_JSONB = b"\x01"
"""The version of jsonb's binary form; the text follows."""


class FacetFields:
    """Makes facets (members/facets.py) of members of these groups, and keeps those that it made without own topics."""

    def __init__(self, ring: Ring, definitions: Definitions, groups: Collection[UUID], topics: frozenset[UUID]) -> None:
        self._ring = ring
        self._definitions = definitions
        self._groups = groups
        self._topics = topics
        self._told = [key for key, attribute in definitions.items() if attribute.protection != "sealed"]
        self._known: dict[tuple[Value | None, ...], bytes] = {}

    def of(self, values: Mapping[str, Value], topics: frozenset[UUID]) -> bytes:
        """Return the field of one member. `topics`: those that it joins besides what all do."""
        if topics:
            return self._made(values, topics | self._topics)
        told = tuple(map(values.get, self._told))
        try:
            found = self._known.get(told)
        except TypeError:
            # Tags are lists, which can't be looked up.
            return self._made(values, self._topics)
        if found is None:
            found = self._made(values, self._topics)
            if len(self._known) < _MAX_KNOWN:
                self._known[told] = found
        return found

    def _made(self, values: Mapping[str, Value], topics: frozenset[UUID]) -> bytes:
        return field(_JSONB + orjson.dumps(make_facets(values, self._definitions, self._ring, self._groups, topics)))
