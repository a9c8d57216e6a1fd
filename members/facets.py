"""Facets: the part of a member that SQL may filter by.

    {"open": {"city": "tokyo"}, "match": {"plan": "1.Qm9n…"}, "groups": ["0190…"], "topics": ["0191…"]}

Values stand under their attribute's key. Open attributes stand in plain. A matchable one is a keyed index of its value
(version and 128 bits of HMAC-SHA256): equal values of one attribute meet, and nothing else can be told of them. A
sealed one leaves no trace.
"""

from base64 import b64encode
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import orjson

from members.attribute import Attribute, Definitions
from members.keyed_hash import KeyedHash
from members.keyring import Ring
from members.profile import Value

OPEN, MATCH, GROUPS, TOPICS = "open", "match", "groups", "topics"
_TOKEN_BYTES = 16


def make_facets(
    values: Mapping[str, Value],
    definitions: Definitions,
    ring: Ring,
    groups: Collection[UUID] = (),
    topics: Collection[UUID] = (),
) -> dict[str, Any]:
    """Return the facets of a member with these values (by key), groups and topics (each once), empty parts left out."""
    plain: dict[str, Value] = {}
    matches: dict[str, str | list[str]] = {}
    for key, value in values.items():
        attribute = definitions.get(key)
        if attribute is None or attribute.protection == "sealed":
            continue
        if attribute.protection == "open":
            plain[key] = value
        elif isinstance(value, list):
            matches[key] = [match_token(ring, ring.primary_index, attribute, tag) for tag in value]
        else:
            matches[key] = match_token(ring, ring.primary_index, attribute, value)
    facets: dict[str, Any] = {}
    if plain:
        facets[OPEN] = plain
    if matches:
        facets[MATCH] = matches
    if groups:
        facets[GROUPS] = sorted(str(group) for group in groups)
    if topics:
        facets[TOPICS] = sorted(str(topic) for topic in topics)
    return facets


def renewed_facets(
    facets: Mapping[str, Any], values: Mapping[str, Value], definitions: Definitions, ring: Ring
) -> dict[str, Any]:
    """Return a member's facets with what its values leave in them made anew; groups and the like stay."""
    kept = {part: content for part, content in facets.items() if part not in {OPEN, MATCH}}
    return make_facets(values, definitions, ring) | kept


def match_token(ring: Ring, version: int, attribute: Attribute, value: Value) -> str:
    """Return the keyed index of one value of a matchable attribute under an index key version."""
    return f"{version}.{_token(ring.values[version], attribute.attribute_id, value)}"


def _token(keyed: KeyedHash, attribute_id: UUID, value: Value) -> str:
    return b64encode(keyed.digest(attribute_id.bytes + orjson.dumps(value))[:_TOKEN_BYTES]).decode().rstrip("=")


def groups_of(facets: Mapping[str, Any]) -> tuple[UUID, ...]:
    """Return the groups that stand in a member's facets."""
    return tuple(UUID(group) for group in facets.get(GROUPS, ()))


def topics_of(facets: Mapping[str, Any]) -> tuple[UUID, ...]:
    """Return the topics that stand in a member's facets."""
    return tuple(UUID(topic) for topic in facets.get(TOPICS, ()))
