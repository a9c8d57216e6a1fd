import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from core import ids
from core.clock import Clock
from core.errors import InvalidInput, NotFound, Superseded
from core.ids import IdSource
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.errors import SegmentInUse
from members.groups import GroupStore
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.previews import Found, PreviewStore
from members.rules.reading import MAX_DEPTH
from members.segments import SegmentStore
from members.suppressions import SuppressionStore
from tests.support.audiences import read_slice
from tests.support.postgres import shift_clock
from tracking.engagement import MemberEngagement


class House:
    def __init__(
        self, pool: asyncpg.Pool, main: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock
    ) -> None:
        self.account = account
        self.attributes = AttributeStore(pool, new_id)
        self.members = MemberStore(pool, rings, new_id)
        self.groups = GroupStore(pool, new_id)
        self.source = AudienceSource(pool, rings, MemberEngagement(main))
        self.segments = SegmentStore(pool, rings, self.source, new_id)
        self.previews = PreviewStore(pool, rings, self.source)
        self.suppressions = SuppressionStore(pool, rings)
        self.consent = Consent("form", clock.now())
        self.new_id = new_id

    async def previewed(self, rule: dict[str, Any]) -> Found | None:
        """What facets tell at once of a rule; None if it takes more."""
        return await self.previews.at_once(self.account, await self.source.of_rule(self.account, rule, "/rule"))

    async def scanned(self, rule: dict[str, Any]) -> Found:
        """What a rule finds that takes more than facets."""
        preview_id = self.new_id()
        await self.previews.begin(self.account, preview_id, await self.source.of_rule(self.account, rule))
        await self.previews.run(self.account, preview_id, lambda: True, size=5)
        made = await self.previews.get(self.account, preview_id)
        assert (made.state, made.error) == ("finished", None)
        return made.found

    async def segment(self, name: str, rule: dict[str, Any]) -> str:
        made = await self.segments.create(self.account, name, rule)
        return ids.encode("seg", made.segment_id)

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
            rows = read_slice(bytes(stream))
            assert len(rows) == end.rows
            found += rows
            for reason, total in end.left_out.items():
                left_out[reason] = left_out.get(reason, 0) + total
            if end.last is None:
                return found, left_out
            after = end.last


@pytest.fixture
async def house(
    vault: asyncpg.Pool, main: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock
) -> House:
    made = House(vault, main, rings, account, new_id, clock)
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
    preview = await house.previewed({"attribute": "city", "equals": "tokyo"})
    assert preview is not None
    assert (preview.count.matching, preview.count.sendable) == (21, 19)
    assert preview.count.left_out == {"pending": 1, "bounced": 1}
    assert preview.samples == ("t***@example.jp",) * 19
    segment = await house.segments.create(house.account, "tokyo", {"attribute": "city", "equals": "tokyo"})
    found, left_out = await house.slices({"segments": [ids.encode("seg", segment.segment_id)]})
    assert (len(found), left_out) == (19, {"pending": 1, "bounced": 1})


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


async def test_every_fault_of_a_rule_is_named_by_its_node(house: House) -> None:
    rule = {
        "any": [
            {"attribute": "shoe", "equals": 1},
            {"attribute": "age", "equals": "old"},
            {"attribute": "plan", "less": 1},
            {"attribute": "plan", "contains": ""},
            {"received": "cmp_nowhere"},
            {"last_open": {"within_days": 0}},
            {"consent": {"given": True, "after": "yesterday", "scope": "some"}},
            {"status": ["active", "asleep"]},
            {"tag": ""},
            {"not": {"group": "grp_nowhere"}},
            {"attribute": "age", "between": [1]},
            [],
        ]
    }
    with pytest.raises(InvalidInput) as caught:
        await house.previewed(rule)
    assert [fault.pointer for fault in caught.value.faults] == [
        "/rule/any/0/attribute",
        "/rule/any/1/equals",
        "/rule/any/2/less",
        "/rule/any/3/contains",
        "/rule/any/4/received",
        "/rule/any/5/last_open/within_days",
        "/rule/any/6/consent/scope",
        "/rule/any/6/consent/after",
        "/rule/any/7/status",
        "/rule/any/8/tag",
        "/rule/any/9/not/group",
        "/rule/any/10/between",
        "/rule/any/11",
    ]
    deep: dict[str, Any] = {"attribute": "age", "is_set": True}
    for _ in range(30):
        deep = {"not": deep}
    with pytest.raises(InvalidInput):
        await house.previewed(deep)


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
        found = await house.previewed(rule)
        assert found is not None
        assert found.count.matching == matching
    facets = orjson.dumps([row["facets"] for row in await vault.fetch("SELECT facets FROM member")])
    assert b"gold" not in facets
    assert b"tea" not in facets


async def test_a_sealed_value_is_found_by_opening_members_and_leaves_no_trace(
    house: House, vault: asyncpg.Pool
) -> None:
    await house.attributes.define(house.account, "phone", "text")
    for number in range(12):
        await house.member(f"m{number}@example.jp", phone=f"0{number}-1234", city="tokyo" if number % 2 else "osaka")
    rule = {"all": [{"attribute": "city", "equals": "tokyo"}, {"attribute": "phone", "in": ["01-1234", "02-1234"]}]}
    assert await house.previewed(rule) is None
    assert (await house.scanned(rule)).count.matching == 1
    segment = await house.segment("by phone", rule)
    assert len((await house.slices({"segments": [segment]}, limit=5))[0]) == 1
    stored = [*await vault.fetch("SELECT rule FROM segment"), *await vault.fetch("SELECT rule FROM preview")]
    text = orjson.dumps([row["rule"] for row in stored])
    assert b"1234" not in text
    assert b"tokyo" in text
    (shown,) = await house.segments.list(house.account)
    assert shown.rule == rule


async def test_what_a_resolved_audience_bears_names_no_sealed_value(house: House) -> None:
    rule = {"any": [{"attribute": "name", "contains": "taro"}, {"attribute": "plan", "starts_with": "gold"}]}
    audience = await house.source.of_rule(house.account, rule)
    assert b"taro" not in orjson.dumps(audience.rule)
    assert b"gold" not in orjson.dumps(audience.rule)


async def test_a_rule_on_a_keyed_hash_scans_only_where_equality_is_not_asked(house: House) -> None:
    await house.member("taro@example.jp", plan="gold-member")
    await house.member("hana@example.jp", plan="silver-member")
    assert (await house.scanned({"attribute": "plan", "starts_with": "GOLD"})).count.matching == 1
    assert await house.previewed({"attribute": "plan", "equals": "gold-member"}) is not None


async def test_a_member_that_can_not_be_opened_is_of_no_audience_that_had_to(house: House, vault: asyncpg.Pool) -> None:
    broken = await house.member("broken@example.jp", city="tokyo")
    await house.member("whole@example.jp", city="tokyo")
    await vault.execute("UPDATE member SET sealed = sealed || '\\x00' WHERE member_id = $1", broken)
    no_name: dict[str, Any] = {"attribute": "name", "is_set": False}
    assert (await house.scanned(no_name)).count.matching == 1
    assert (await house.scanned({"not": {"attribute": "name", "is_set": True}})).count.matching == 1
    # Whoever facets rule out is not opened; whoever they take in is not asked for.
    outside = {"all": [{"attribute": "city", "equals": "osaka"}, no_name]}
    assert (await house.scanned({"not": outside})).count.matching == 1


async def test_a_segment_may_name_another_and_none_in_a_circle(house: House) -> None:
    tokyo = await house.segment("tokyo", {"attribute": "city", "equals": "tokyo"})
    grown = await house.segment("grown", {"all": [{"segment": tokyo}, {"attribute": "age", "greater": 19}]})
    await house.member("one@example.jp", city="tokyo", age=20)
    await house.member("two@example.jp", city="tokyo", age=10)
    found = await house.previewed({"segment": grown})
    assert found is not None
    assert found.count.matching == 1
    inner = await house.segments.get(house.account, ids.decode("seg", tokyo))
    with pytest.raises(InvalidInput) as caught:
        await house.segments.change(
            house.account, inner.segment_id, inner.revision, rule={"any": [{"not": {"segment": grown}}]}
        )
    (fault,) = caught.value.faults
    assert (fault.pointer, fault.code) == ("/rule/any/0/not/segment", "segment-cycle")
    assert f"{tokyo} → {grown} → {tokyo}" in fault.detail
    with pytest.raises(SegmentInUse):
        await house.segments.remove(house.account, inner.segment_id)
    await house.segments.remove(house.account, ids.decode("seg", grown))
    await house.segments.remove(house.account, inner.segment_id)


async def test_two_changes_at_once_can_not_make_a_circle(house: House) -> None:
    one = await house.segment("one", {"attribute": "age", "greater": 1})
    two = await house.segment("two", {"attribute": "age", "greater": 2})

    async def change(segment: str, other: str) -> None:
        await house.segments.change(house.account, ids.decode("seg", segment), 1, rule={"segment": other})

    outcomes = await asyncio.gather(change(one, two), change(two, one), return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InvalidInput", "NoneType"]


async def test_segments_in_a_long_row_are_bounded(house: House) -> None:
    segment = await house.segment("0", {"attribute": "age", "greater": 1})
    for number in range(1, MAX_DEPTH):
        segment = await house.segment(str(number), {"segment": segment})
    with pytest.raises(InvalidInput) as caught:
        await house.segment("one too many", {"segment": segment})
    assert caught.value.faults[0].code == "too-large"


async def test_a_preview_goes_on_where_it_was_left_and_ends_when_it_is_cancelled(house: House) -> None:
    for number in range(12):
        await house.member(f"m{number}@example.jp")
    audience = await house.source.of_rule(house.account, {"attribute": "name", "is_set": False})
    preview_id = house.new_id()
    begun = await house.previews.begin(house.account, preview_id, audience)
    assert (begun.state, begun.done, begun.total) == ("waiting", 0, 12)
    turns = iter([True, True, False])
    with pytest.raises(Superseded):
        await house.previews.run(house.account, preview_id, lambda: next(turns), size=5)
    half = await house.previews.get(house.account, preview_id)
    assert (half.state, half.done, half.found.count.matching) == ("running", 10, 10)
    await house.previews.run(house.account, preview_id, lambda: True, size=5)
    whole = await house.previews.get(house.account, preview_id)
    assert (whole.state, whole.done, whole.found.count.matching) == ("finished", 12, 12)

    another = house.new_id()
    await house.previews.begin(house.account, another, audience)
    asked = 0

    def cancelled_meanwhile() -> bool:
        nonlocal asked
        asked += 1
        return True

    await house.previews.cancel(house.account, another)
    await house.previews.run(house.account, another, cancelled_meanwhile)
    assert asked == 0
    with pytest.raises(NotFound):
        await house.previews.get(house.account, another)


async def test_a_preview_is_kept_for_an_hour(house: House, vault_owner: asyncpg.Pool) -> None:
    audience = await house.source.of_rule(house.account, {"attribute": "name", "is_set": True})
    preview_id = house.new_id()
    await house.previews.begin(house.account, preview_id, audience)
    await shift_clock(vault_owner, 3_601)
    with pytest.raises(NotFound):
        await house.previews.get(house.account, preview_id)
    await house.previews.begin(house.account, house.new_id(), audience)
    assert await vault_owner.fetchval("SELECT count(*) FROM preview") == 1
