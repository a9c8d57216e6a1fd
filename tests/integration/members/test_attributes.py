import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.errors import Conflict, InvalidInput, NotFound, StaleRevision
from core.ids import IdSource
from core.migrations import available
from members.attribute import Choice
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.errors import AttributeInUse
from members.keyring import KeyRings
from members.members import MemberStore
from members.resealing import reseal
from members.segments import SegmentStore
from tests.support.segments import NoMail


@pytest.fixture
def store(vault: asyncpg.Pool, new_id: IdSource) -> AttributeStore:
    return AttributeStore(vault, new_id)


async def test_every_account_has_a_name_a_language_a_zone_and_tags(store: AttributeStore, account: UUID) -> None:
    found = await store.list(account)
    assert [(one.name, one.type, one.protection) for one in found] == [
        ("name", "text", "sealed"),
        ("locale", "text", "open"),
        ("time_zone", "text", "open"),
        ("tags", "tags", "matchable"),
    ]
    for one in found:
        with pytest.raises(Conflict):
            await store.remove(account, one.attribute_id)
        with pytest.raises(Conflict):
            await store.change(account, one.attribute_id, 1, name="another")
    await store.define_built_in(account)
    assert await store.list(account) == found


async def test_all_types_are_defined_and_used_at_run_time(
    store: AttributeStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    choices = [Choice("gold", {"ja": "金"})]
    for type_ in ("text", "number", "boolean", "date", "datetime", "choice", "tags"):
        await store.define(account, f"a_{type_}", type_, choices=choices if type_ == "choice" else ())
    values = {
        "a_text": "文",
        "a_number": 1.5,
        "a_boolean": False,
        "a_date": "2026-12-01",
        "a_datetime": "2026-12-01T00:00:00Z",
        "a_choice": "gold",
        "a_tags": ["赤", "青"],
    }
    made = await MemberStore(vault, rings, new_id).create(account, "taro@example.jp", values)
    assert made.values == values


async def test_a_definition_at_fault_names_every_fault(store: AttributeStore, account: UUID) -> None:
    with pytest.raises(InvalidInput) as caught:
        await store.define(account, "E-mail", "choice", label={"japanese": "x"})
    assert {fault.pointer for fault in caught.value.faults} == {"/name", "/label", "/choices"}
    with pytest.raises(InvalidInput):
        await store.define(account, "email", "text")


async def test_names_are_taken_once(store: AttributeStore, account: UUID, new_id: IdSource) -> None:
    await store.define(account, "plan", "text")
    with pytest.raises(Conflict):
        await store.define(account, "plan", "number")
    assert (await store.define(new_id(), "plan", "number")).type == "number"


async def test_a_protection_changes_at_any_time(
    store: AttributeStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    plan = await store.define(account, "plan", "text")
    plan = await store.change(account, plan.attribute_id, 1, protection="open")
    with pytest.raises(StaleRevision):
        await store.change(account, plan.attribute_id, 1, required=True)
    await MemberStore(vault, rings, new_id).create(account, "taro@example.jp", {"plan": "gold"})
    assert plan.resealing is None
    plan = await store.change(account, plan.attribute_id, 2, protection="sealed")
    assert (plan.protection, plan.resealing) == ("sealed", 3)
    plan = await store.change(account, plan.attribute_id, 3, label={"ja": "プラン"})
    assert (plan.label, plan.resealing) == ({"ja": "プラン"}, 3)


async def test_choices_of_a_used_attribute_are_only_added_to(
    store: AttributeStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    plan = await store.define(account, "plan", "choice", choices=[Choice("gold", {})])
    await MemberStore(vault, rings, new_id).create(account, "taro@example.jp", {"plan": "gold"})
    with pytest.raises(AttributeInUse):
        await store.change(account, plan.attribute_id, 1, choices=[Choice("silver", {})])
    await store.change(account, plan.attribute_id, 1, choices=[Choice("gold", {}), Choice("silver", {})])


async def test_a_removed_attribute_shows_no_values_and_its_name_is_free_once_they_are_cleared(
    store: AttributeStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    members = MemberStore(vault, rings, new_id)
    plan = await store.define(account, "plan", "text")
    made = await members.create(account, "taro@example.jp", {"plan": "gold"})
    await store.remove(account, plan.attribute_id)
    with pytest.raises(NotFound):
        await store.get(account, plan.attribute_id)
    assert (await members.get(account, made.member_id)).values == {}
    for type_ in ("number", "text"):
        with pytest.raises(Conflict):
            await store.define(account, "plan", type_)
    await reseal(vault, rings, account, lambda: True)
    await store.define(account, "plan", "number")
    assert (await members.get(account, made.member_id)).values == {}
    again = await members.change(account, made.member_id, 1, values={"plan": 7})
    assert again.values == {"plan": 7}


async def test_an_attribute_that_a_segment_filters_by_stays(
    store: AttributeStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    plan = await store.define(account, "plan", "text", protection="open")
    segments = SegmentStore(vault, rings, AudienceSource(vault, rings, NoMail()), new_id)
    rule = {"all": [{"not": {"attribute": "plan", "equals": "gold"}}]}
    segment = await segments.create(account, "not gold", rule)
    with pytest.raises(AttributeInUse):
        await store.remove(account, plan.attribute_id)
    await segments.remove(account, segment.segment_id)
    await store.remove(account, plan.attribute_id)


async def test_a_renamed_attribute_keeps_its_values_and_answers_to_every_name_it_had(
    store: AttributeStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    members, audiences = MemberStore(vault, rings, new_id), AudienceSource(vault, rings, NoMail())
    segments = SegmentStore(vault, rings, audiences, new_id)

    async def matching(rule: Mapping[str, Any]) -> int:
        told = await audiences.at_once(account, await audiences.of_rule(account, rule), 1)
        assert told is not None
        return told[0].matching

    plan = await store.define(account, "plan", "text", protection="open")
    taro = await members.create(account, "taro@example.jp", {"plan": "gold"})
    stored = await vault.fetchrow("SELECT sealed, facets, revision FROM member")
    segment = await segments.create(account, "gold", {"attribute": "plan", "equals": "gold"})
    tier = await store.change(account, plan.attribute_id, 1, name="tier")
    rank = await store.change(account, plan.attribute_id, 2, name="rank")
    assert (rank.name, rank.former_names, rank.key) == ("rank", ("plan", "tier"), "plan")
    assert tier.name == "tier"
    assert await vault.fetchrow("SELECT sealed, facets, revision FROM member") == stored
    assert (await members.get(account, taro.member_id)).values == {"rank": "gold"}
    for name in ("plan", "tier", "rank"):
        made = await members.create(account, f"{name}@example.jp", {name: "gold"})
        assert made.values == {"rank": "gold"}
        assert await matching({"attribute": name, "equals": "gold"}) == 2 + ("plan", "tier", "rank").index(name)
    assert await matching(segment.rule) == 4
    with pytest.raises(AttributeInUse):
        await store.remove(account, plan.attribute_id)
    assert await store.names(account) == {
        **{name: name for name in ("name", "locale", "time_zone", "tags")},
        **dict.fromkeys(("plan", "tier", "rank"), "plan"),
    }


async def test_a_name_that_an_attribute_had_is_nobody_elses_while_it_lives(
    store: AttributeStore, account: UUID
) -> None:
    plan = await store.define(account, "plan", "text")
    other = await store.define(account, "other", "text")
    await store.change(account, plan.attribute_id, 1, name="tier")
    for name in ("plan", "tier"):
        with pytest.raises(Conflict):
            await store.define(account, name, "text")
        with pytest.raises(Conflict):
            await store.change(account, other.attribute_id, 1, name=name)
    assert (await store.get(account, other.attribute_id)).revision == 1
    back = await store.change(account, plan.attribute_id, 2, name="plan")
    assert (back.name, back.former_names) == ("plan", ("tier",))
    await store.remove(account, plan.attribute_id)
    assert (await store.change(account, other.attribute_id, 1, name="tier")).name == "tier"
    assert (await store.define(account, "plan", "number")).key == "plan"


async def test_of_two_that_take_a_name_at_once_one_is_refused(store: AttributeStore, account: UUID) -> None:
    made = [await store.define(account, f"a{number}", "text") for number in range(8)]
    outcomes = await asyncio.gather(
        *(store.change(account, one.attribute_id, 1, name="wanted") for one in made),
        *(store.define(account, "wanted", "text") for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(not isinstance(one, Exception) for one in outcomes) == 1
    assert {type(one) for one in outcomes if isinstance(one, Exception)} == {Conflict}


async def test_a_default_is_what_a_new_member_has_who_brings_no_value(
    store: AttributeStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    members = MemberStore(vault, rings, new_id)
    before = await members.create(account, "before@example.jp")
    choices = [Choice("free", {}), Choice("gold", {})]
    plan = await store.define(
        account, "plan", "choice", protection="open", choices=choices, required=True, default="free"
    )
    assert plan.default == "free"
    given = [{}, {"plan": "gold"}]
    made = [await members.create(account, f"m{number}@example.jp", values) for number, values in enumerate(given)]
    assert [one.values for one in made] == [{"plan": "free"}, {"plan": "gold"}]
    with pytest.raises(InvalidInput):
        await members.create(account, "none@example.jp", {"plan": None})
    assert (await members.get(account, before.member_id)).values == {}
    with pytest.raises(InvalidInput) as caught:
        await store.change(account, plan.attribute_id, 1, default="silver")
    assert [fault.pointer for fault in caught.value.faults] == ["/default"]
    plan = await store.change(account, plan.attribute_id, 1, required=False)
    assert plan.default == "free"
    plan = await store.change(account, plan.attribute_id, 2, default=None)
    assert plan.default is None
    assert (await members.create(account, "late@example.jp")).values == {}


async def test_accounts_that_were_there_get_the_attributes_that_new_ones_are_made_with(
    store: AttributeStore, account: UUID, vault_owner: asyncpg.Pool
) -> None:
    expected = await store.list(account)
    text = next(text for name, text in available("members") if name == "0006_fields")
    # As it was before: one attribute, and one of the account's own by a name that is built in now.
    await vault_owner.execute("DROP TABLE attribute_name")
    await vault_owner.execute("DELETE FROM attribute WHERE name IN ('locale', 'time_zone')")
    await vault_owner.execute("UPDATE attribute SET type = 'text', built_in = false WHERE name = 'tags'")
    await vault_owner.execute("ALTER TABLE attribute DROP COLUMN key, DROP COLUMN default_value, DROP COLUMN built_in")
    await vault_owner.execute(text)
    found = {one.name: one for one in await store.list(account)}
    for one in expected[:3]:
        assert replace(found[one.name], attribute_id=one.attribute_id) == one
    assert (found["tags"].type, found["tags"].built_in) == ("text", False)
    assert all(one.attribute_id.version == 7 for one in found.values())
    with pytest.raises(Conflict):
        await store.define(account, "locale", "text")
