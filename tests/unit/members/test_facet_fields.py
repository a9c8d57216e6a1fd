from functools import partial
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from members.attribute import Attribute, AttributeType, Definitions, Protection
from members.facets import make_facets
from members.imports.facet_fields import FacetFields
from members.keyed_hash import KeyedHash
from members.keyring import Ring
from members.opener import Opener
from members.sealer import Sealer

ACCOUNT, GROUP, TOPICS = UUID(int=1), UUID(int=2), [UUID(int=3), UUID(int=4)]


def attribute(name: str, kind: AttributeType, protection: Protection) -> Attribute:
    return Attribute(UUID(int=len(name)), name, name, kind, protection, {}, (), False, False, False, 1)


DEFINITIONS = Definitions(
    [
        attribute("age", "number", "open"),
        attribute("hobby", "tags", "open"),
        attribute("plan_", "text", "matchable"),
        attribute("secret", "text", "sealed"),
    ]
)
RING = Ring(
    account_id=ACCOUNT,
    generation=1,
    sealing={},
    primary_seal=1,
    seal_since=1,
    addresses={},
    values={1: KeyedHash(b"k" * 32)},
    primary_index=1,
    index_since=1,
    suppression=KeyedHash(b"s" * 32),
    destination=KeyedHash(b"d" * 32),
    opener=partial(Opener, ACCOUNT.bytes, {}),
    sealer=partial(Sealer, ACCOUNT.bytes, 1, bytes(32)),
    notes=AESGCM(bytes(32)),
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "age": st.sampled_from([1, 2, 1.5]),
        "hobby": st.lists(st.sampled_from(["go", "tea"]), min_size=1, unique=True),
        "plan_": st.sampled_from(["a", "b"]),
        "secret": st.text(max_size=3),
    },
)


@given(st.lists(st.tuples(VALUES, st.sampled_from([frozenset(), frozenset(TOPICS[:1])])), max_size=12))
def test_remembered_facets_are_those_that_would_be_made(members: list[tuple[dict[str, int], frozenset[UUID]]]) -> None:
    made = FacetFields(RING, DEFINITIONS, [GROUP], frozenset(TOPICS[1:]))
    for values, topics in members:
        found = made.of(values, topics)
        size, version, text = int.from_bytes(found[:4], "big"), found[4], found[5:]
        assert (size, version) == (len(text) + 1, 1)
        expected = make_facets(values, DEFINITIONS, RING, [GROUP], topics | set(TOPICS[1:]))
        assert orjson.loads(text) == orjson.loads(orjson.dumps(expected))
