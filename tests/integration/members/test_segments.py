import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core import ids
from core.clock import Clock
from core.errors import InvalidInput
from core.ids import IdSource
from members.attribute import Attribute, Choice
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.errors import SealedAttribute
from members.facets import make_facets
from members.groups import GroupStore
from members.jsonpath import compile_rule
from members.keyring import KeyRings, Ring
from members.member import Consent
from members.members import MemberStore
from members.rules import read_rule
from members.segments import SegmentStore
from members.suppressions import SuppressionStore


class House:
    def __init__(self, pool: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock) -> None:
        self.account = account
        self.attributes = AttributeStore(pool, new_id)
        self.members = MemberStore(pool, rings, new_id)
        self.groups = GroupStore(pool, new_id)
        self.segments = SegmentStore(pool, rings, new_id)
        self.suppressions = SuppressionStore(pool, rings)
        self.source = AudienceSource(pool, rings)
        self.consent = Consent("form", clock.now())

    async def member(self, address: str, *, consent: bool = True, groups: tuple[UUID, ...] = (), **values: Any) -> UUID:
        given_ = self.consent if consent else None
        made = await self.members.create(self.account, address, values, consent=given_, groups=groups)
        return made.member_id

    async def slices(self, wanted: dict[str, Any], limit: int = 1000) -> tuple[list[tuple[UUID, int]], dict[str, int]]:
        audience = await self.source.resolve(self.account, wanted)
        upper = await self.source.upper(self.account)
        assert upper is not None
        found: list[tuple[UUID, int]] = []
        left_out: dict[str, int] = {}
        after = None
        while True:
            stream = bytearray()

            async def sink(piece: bytes, stream: bytearray = stream) -> None:
                stream.extend(piece)

            end = await self.source.slice(self.account, audience, after, upper, limit, sink)
            rows = [struct.unpack(">hi16siq", stream[at : at + 34]) for at in range(19, len(stream) - 2, 34)]
            assert len(rows) == end.rows
            found += [(UUID(bytes=row[2]), row[4]) for row in rows]
            for reason, total in end.left_out.items():
                left_out[reason] = left_out.get(reason, 0) + total
            if end.last is None:
                return found, left_out
            after = end.last


@pytest.fixture
async def house(vault: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock) -> House:
    made = House(vault, rings, account, new_id, clock)
    await made.attributes.define(account, "city", "text", protection="open")
    await made.attributes.define(account, "age", "number", protection="open")
    await made.attributes.define(account, "plan", "text", protection="matchable")
    await made.attributes.define(account, "likes", "tags", protection="matchable")
    return made


async def test_a_preview_counts_like_a_snapshot_and_shows_masked_samples(house: House) -> None:
    for number in range(30):
        await house.member(f"taro{number}@example.jp", city="tokyo" if number % 3 else "osaka", age=number)
    await house.member("waiting@example.jp", consent=False, city="tokyo")
    await house.suppressions.add(house.account, "taro1@example.jp", "bounced")
    preview = await house.segments.preview(house.account, {"attribute": "city", "equals": "tokyo"})
    assert (preview.count.matching, preview.count.sendable) == (21, 19)
    assert preview.count.left_out == {"unconfirmed": 1, "bounced": 1}
    assert preview.samples == ("t***@example.jp",) * 19
    segment = await house.segments.create(house.account, "tokyo", {"attribute": "city", "equals": "tokyo"})
    found, left_out = await house.slices({"segments": [ids.encode("seg", segment.segment_id)]})
    assert (len(found), left_out) == (19, {"unconfirmed": 1, "bounced": 1})


async def test_slices_meet_at_their_seams_and_carry_destination_tags(house: House) -> None:
    made = [await house.member(f"m{number}@{'a' if number % 2 else 'b'}.example.jp") for number in range(11)]
    found, left_out = await house.slices({"all": True}, limit=4)
    assert [member for member, _ in found] == made
    assert len({tag for _, tag in found}) == 2
    assert left_out == {}


async def test_an_audience_is_who_is_in_any_part_and_in_no_excluded_one(house: House) -> None:
    group = await house.groups.create(house.account, "staff")
    shown = ids.encode("grp", group.group_id)
    tokyo = await house.segments.create(house.account, "tokyo", {"attribute": "city", "equals": "tokyo"})
    one = await house.member("one@example.jp", city="tokyo")
    two = await house.member("two@example.jp", groups=(group.group_id,))
    both = await house.member("both@example.jp", city="tokyo", groups=(group.group_id,))
    await house.member("none@example.jp")
    segment = ids.encode("seg", tokyo.segment_id)
    assert {m for m, _ in (await house.slices({"segments": [segment], "groups": [shown]}))[0]} == {one, two, both}
    assert [m for m, _ in (await house.slices({"segments": [segment], "exclude": {"groups": [shown]}}))[0]] == [one]
    excluded = {"all": True, "exclude": {"segments": [segment]}}
    assert len((await house.slices(excluded))[0]) == 2


async def test_an_audience_that_names_what_is_not_there_is_refused_with_pointers(
    house: House, new_id: IdSource
) -> None:
    for wanted, pointer in (
        ({}, ""),
        ({"groups": ["grp_x"]}, "/groups/0"),
        ({"all": True, "exclude": {"segments": [ids.encode("seg", new_id())]}}, "/exclude/segments/0"),
        ({"segments": "all"}, "/segments"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await house.source.resolve(house.account, wanted)
        assert caught.value.faults[0].pointer == pointer


async def test_a_rule_on_a_sealed_attribute_is_refused_by_type(house: House) -> None:
    with pytest.raises(SealedAttribute) as caught:
        await house.segments.create(house.account, "by name", {"all": [{"attribute": "name", "equals": "太郎"}]})
    assert caught.value.faults[0].pointer == "/rule/all/0/attribute"


async def test_every_fault_of_a_rule_is_named_by_its_node(house: House) -> None:
    rule = {
        "any": [
            {"attribute": "shoe", "equals": 1},
            {"attribute": "age", "equals": "old"},
            {"attribute": "plan", "less": 1},
            {"not": {"group": "grp_nowhere"}},
            {"attribute": "age", "between": [1]},
            [],
        ]
    }
    with pytest.raises(InvalidInput) as caught:
        await house.segments.preview(house.account, rule)
    assert [fault.pointer for fault in caught.value.faults] == [
        "/rule/any/0/attribute",
        "/rule/any/1/equals",
        "/rule/any/2/less",
        "/rule/any/3/not/group",
        "/rule/any/4/between",
        "/rule/any/5",
    ]
    deep: dict[str, Any] = {"attribute": "age", "is_set": True}
    for _ in range(30):
        deep = {"not": deep}
    with pytest.raises(InvalidInput):
        await house.segments.preview(house.account, deep)


async def test_matchable_values_meet_by_keyed_hash_alone(house: House, vault: asyncpg.Pool) -> None:
    await house.member("taro@example.jp", plan="gold-member", likes=["sake", "tea"])
    await house.member("hana@example.jp", plan="silver-member")
    for rule, matching in (
        ({"attribute": "plan", "equals": "gold-member"}, 1),
        ({"attribute": "plan", "in": ["gold-member", "silver-member"]}, 2),
        ({"attribute": "plan", "not_equals": "gold-member"}, 1),
        ({"attribute": "likes", "contains": "tea"}, 1),
        ({"attribute": "likes", "is_set": False}, 1),
    ):
        assert (await house.segments.preview(house.account, rule)).count.matching == matching
    facets = orjson.dumps([row["facets"] for row in await vault.fetch("SELECT facets FROM member")])
    assert b"gold" not in facets
    assert b"tea" not in facets


def _attribute(name: str, type_: Any, protection: Any, number: int) -> Attribute:
    choices = (Choice("a", {}), Choice("b", {})) if type_ == "choice" else ()
    return Attribute(UUID(int=number), name, type_, protection, {}, choices, False, False, True, 1)


DEFINITIONS = {
    attribute.name: attribute
    for attribute in (
        _attribute("text", "text", "open", 1),
        _attribute("hidden", "text", "matchable", 2),
        _attribute("number", "number", "open", 3),
        _attribute("yes", "boolean", "open", 4),
        _attribute("day", "date", "open", 5),
        _attribute("kind", "choice", "matchable", 6),
        _attribute("tags", "tags", "open", 7),
        _attribute("secret_tags", "tags", "matchable", 8),
    )
}
GROUP = UUID(int=99)
TEXTS = st.sampled_from(["", "x", 'q"\\', "日本", "$.a", "\n"])
NUMBERS = st.sampled_from([0, 1, -1, 1.5, 10**15, 1e-7])
DAYS = st.sampled_from(["2026-01-01", "2026-06-30", "2027-01-01"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": TEXTS,
    "hidden": TEXTS,
    "number": NUMBERS,
    "yes": st.booleans(),
    "day": DAYS,
    "kind": st.sampled_from(["a", "b"]),
    "tags": st.lists(st.sampled_from(["p", "q", "r"]), unique=True, max_size=3),
    "secret_tags": st.lists(st.sampled_from(["p", "q", "r"]), unique=True, max_size=3),
}
PEOPLE = st.tuples(st.fixed_dictionaries({}, optional=VALUES), st.booleans())


@st.composite
def comparisons(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(DEFINITIONS)))
    attribute = DEFINITIONS[name]
    if attribute.type == "tags":
        operator = draw(st.sampled_from(["contains", "is_set"]))
    else:
        operators = ["equals", "not_equals", "in", "is_set"]
        operators += {"number": ["less", "greater", "between"], "date": ["before", "after", "between"]}.get(
            attribute.type, []
        )
        operator = draw(st.sampled_from(operators))
    value: Any
    match operator:
        case "is_set":
            value = draw(st.booleans())
        case "contains":
            value = draw(st.sampled_from(["p", "q", "z"]))
        case "in":
            value = draw(st.lists(VALUES[name], min_size=1, max_size=3))
        case "between":
            value = [draw(VALUES[name]), draw(VALUES[name])]
        case _:
            value = draw(VALUES[name])
    return {"attribute": name, operator: value}


LEAVES = comparisons() | st.just({"group": ids.encode("grp", GROUP)})
RULES = st.recursive(
    LEAVES,
    lambda inner: (
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"not": inner})
    ),
    max_leaves=6,
)


def meets(rule: dict[str, Any], values: dict[str, Any], in_group: bool) -> bool:
    """Evaluate a rule as its documentation says, knowing nothing of jsonpath."""
    match rule:
        case {"all": parts}:
            return all(meets(part, values, in_group) for part in parts)
        case {"any": parts}:
            return any(meets(part, values, in_group) for part in parts)
        case {"not": part}:
            return not meets(part, values, in_group)
        case {"group": _}:
            return in_group
    ((operator, wanted),) = ((key, value) for key, value in rule.items() if key != "attribute")
    return compared(operator, wanted, values.get(rule["attribute"]))


def compared(operator: str, wanted: Any, value: Any) -> bool:
    if operator == "is_set" or value is None:
        return operator == "not_equals" or (operator == "is_set" and (value is not None) is wanted)
    comparisons: dict[str, Callable[[], Any]] = {
        "equals": lambda: value == wanted,
        "not_equals": lambda: value != wanted,
        "in": lambda: value in wanted,
        "contains": lambda: wanted in value,
        "less": lambda: value < wanted,
        "greater": lambda: value > wanted,
        "before": lambda: value < wanted,
        "after": lambda: value > wanted,
        "between": lambda: wanted[0] <= value <= wanted[1],
    }
    return bool(comparisons[operator]())


@asynccontextmanager
async def _connection(pool: asyncpg.Pool) -> AsyncIterator[Any]:
    async with pool.acquire() as connection:
        yield connection


@given(rule=RULES, people=st.lists(PEOPLE, min_size=1, max_size=8))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_compiled_rule_finds_exactly_who_meets_it(
    rule: dict[str, Any], people: list[tuple[dict[str, Any], bool]], vault: asyncpg.Pool, rings: KeyRings, account: UUID
) -> None:
    ring: Ring = await rings.ring(account)
    path = compile_rule(read_rule(rule, DEFINITIONS, {GROUP}), ring)
    facets = [make_facets(values, DEFINITIONS, ring, (GROUP,) if inside else ()) for values, inside in people]
    async with _connection(vault) as connection:
        rows = await connection.fetch(
            "SELECT f @@ $2::text::jsonpath AS met FROM unnest($1::text[]) WITH ORDINALITY AS t (x, no), "
            "LATERAL (SELECT x::jsonb AS f) AS j ORDER BY no",
            [orjson.dumps(facet).decode() for facet in facets],
            path,
        )
    assert [row["met"] for row in rows] == [meets(rule, values, inside) for values, inside in people]
