from uuid import UUID

import asyncpg
import pytest

from core.errors import Conflict, InvalidInput, NotFound, StaleRevision
from core.ids import IdSource
from members.attribute import Choice
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.errors import AttributeInUse
from members.keyring import KeyRings
from members.members import MemberStore
from members.segments import SegmentStore
from tests.support.segments import NoMail


@pytest.fixture
def store(vault: asyncpg.Pool, new_id: IdSource) -> AttributeStore:
    return AttributeStore(vault, new_id)


async def test_every_account_has_a_name(store: AttributeStore, account: UUID) -> None:
    (name,) = await store.list(account)
    assert (name.name, name.type, name.protection) == ("name", "text", "sealed")
    with pytest.raises(Conflict):
        await store.remove(account, name.attribute_id)


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


async def test_a_removed_attribute_shows_no_values_and_comes_back_only_as_it_was(
    store: AttributeStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    members = MemberStore(vault, rings, new_id)
    plan = await store.define(account, "plan", "text")
    made = await members.create(account, "taro@example.jp", {"plan": "gold"})
    await store.remove(account, plan.attribute_id)
    with pytest.raises(NotFound):
        await store.get(account, plan.attribute_id)
    assert (await members.get(account, made.member_id)).values == {}
    with pytest.raises(Conflict):
        await store.define(account, "plan", "number")
    await store.define(account, "plan", "text")
    assert (await members.get(account, made.member_id)).values == {"plan": "gold"}


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
