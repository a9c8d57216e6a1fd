from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.errors import InvalidInput, NotFound, StaleRevision, Tampered
from core.ids import IdSource
from members.attributes import AttributeStore
from members.errors import AddressTaken, Suppressed
from members.groups import GroupStore
from members.keyring import KeyRings
from members.listing import MemberList
from members.member import Consent
from members.members import MemberStore
from members.suppressions import SuppressionStore
from members.vault import UNREADABLE, Vault


@pytest.fixture
def store(vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> MemberStore:
    return MemberStore(vault, rings, new_id)


@pytest.fixture
def consent(clock: Clock) -> Consent:
    return Consent("2026-form", clock.now() - timedelta(days=1))


async def test_a_member_with_consent_is_active_and_read_back_as_given(
    store: MemberStore, account: UUID, consent: Consent
) -> None:
    made = await store.create(account, "Taro@Example.JP", {"name": "山田太郎"}, consent=consent)
    assert made.status == "active"
    assert made.address == "Taro@example.jp"
    assert made.values == {"name": "山田太郎"}
    assert await store.by_address(account, "taro@EXAMPLE.jp") == made
    assert [record.source for record in await store.consents(account, made.member_id)] == ["2026-form"]


async def test_a_member_without_consent_waits_pending_until_it_comes(
    store: MemberStore, account: UUID, consent: Consent
) -> None:
    made = await store.create(account, "taro@example.jp")
    assert made.status == "pending"
    changed = await store.change(account, made.member_id, made.revision, consent=consent)
    assert (changed.status, changed.revision) == ("active", 2)


async def test_an_address_belongs_to_one_member_of_an_account_however_it_is_written(
    store: MemberStore, account: UUID, consent: Consent
) -> None:
    await store.create(account, "taro@example.jp", consent=consent)
    with pytest.raises(AddressTaken):
        await store.create(account, "\uff34aro@EXAMPLE.jp", consent=consent)


async def test_another_accounts_member_is_not_there(
    store: MemberStore, account: UUID, consent: Consent, new_id: IdSource
) -> None:
    made = await store.create(account, "taro@example.jp", consent=consent)
    with pytest.raises(NotFound):
        await store.get(new_id(), made.member_id)


async def test_every_wrong_value_is_named_at_once(store: MemberStore, account: UUID) -> None:
    with pytest.raises(InvalidInput) as caught:
        await store.create(account, "taro@example.jp", {"name": 5, "shoe": 1})
    assert {fault.pointer for fault in caught.value.faults} == {"/attributes/name", "/attributes/shoe"}


async def test_a_stale_revision_changes_nothing(store: MemberStore, account: UUID) -> None:
    made = await store.create(account, "taro@example.jp", {"name": "一"})
    await store.change(account, made.member_id, 1, values={"name": "二"})
    with pytest.raises(StaleRevision):
        await store.change(account, made.member_id, 1, values={"name": "三"})
    assert (await store.get(account, made.member_id)).values == {"name": "二"}


async def test_a_value_of_none_removes_the_value(store: MemberStore, account: UUID) -> None:
    made = await store.create(account, "taro@example.jp", {"name": "一"})
    assert (await store.change(account, made.member_id, 1, values={"name": None})).values == {}


async def test_a_changed_address_frees_the_old_one(store: MemberStore, account: UUID) -> None:
    made = await store.create(account, "old@example.jp")
    await store.change(account, made.member_id, 1, address="new@example.jp")
    assert (await store.by_address(account, "new@example.jp")).member_id == made.member_id
    await store.create(account, "old@example.jp")
    with pytest.raises(AddressTaken):
        await store.change(account, made.member_id, 2, address="old@example.jp")


async def test_erasure_leaves_a_suppression_and_an_unreadable_nothing(
    store: MemberStore, account: UUID, consent: Consent, vault: asyncpg.Pool, rings: KeyRings
) -> None:
    made = await store.create(account, "taro@example.jp", {"name": "太郎"}, consent=consent)
    await store.erase(account, made.member_id)
    with pytest.raises(NotFound):
        await store.get(account, made.member_id)
    for table in ("member", "keys.member_key", "address_index"):
        assert await vault.fetchval(f"SELECT count(*) FROM {table}") == 0
    found = await SuppressionStore(vault, rings).find(account, "taro@example.jp")
    assert found is not None
    assert found.reason == "erased"
    with pytest.raises(Suppressed):
        await store.create(account, "taro@example.jp", consent=consent)
    with pytest.raises(NotFound):
        await store.erase(account, made.member_id)


async def test_a_later_consent_lifts_what_the_owner_did_and_nothing_else(
    store: MemberStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, clock: Clock
) -> None:
    suppressions = SuppressionStore(vault, rings)
    earlier, newer = clock.now() - timedelta(hours=1), Consent("form", clock.now())
    await suppressions.add(account, "left@example.jp", "unsubscribed", earlier)
    await suppressions.add(account, "angry@example.jp", "complained", earlier)
    assert (await store.create(account, "left@example.jp", consent=newer)).status == "active"
    with pytest.raises(Suppressed):
        await store.create(account, "angry@example.jp", consent=newer)


async def test_withdrawn_consent_ends_and_suppresses(
    store: MemberStore, account: UUID, consent: Consent, vault: asyncpg.Pool, rings: KeyRings
) -> None:
    made = await store.create(account, "taro@example.jp", consent=consent)
    changed = await store.change(account, made.member_id, 1, withdrawn_by="help desk")
    assert changed.status == "unsubscribed"
    assert [record.kind for record in await store.consents(account, made.member_id)] == ["given", "withdrawn"]
    assert await SuppressionStore(vault, rings).find(account, "taro@example.jp") is not None


async def test_lists_go_on_after_their_cursor(
    store: MemberStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings
) -> None:
    listing = MemberList(vault, rings)
    made = [await store.create(account, f"m{number}@example.jp") for number in range(5)]
    first = await listing.page(account, limit=3)
    rest = await listing.page(account, limit=3, after=first.next)
    assert [member.member_id for member in first.items + rest.items] == [member.member_id for member in made]
    assert rest.next is None


async def test_a_worker_opens_many_members_and_leaves_out_the_unreadable(
    store: MemberStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, vault_owner: asyncpg.Pool
) -> None:
    made = [await store.create(account, f"m{number}@example.jp", {"name": f"人{number}"}) for number in range(4)]
    ids = [member.member_id for member in made]
    # Two rows change places: each ciphertext is whole, and neither opens where it stands now.
    await vault_owner.execute(
        "UPDATE member m SET sealed = o.sealed FROM member o WHERE (m.member_id, o.member_id) IN (($1, $2), ($2, $1))",
        ids[0],
        ids[1],
    )
    before = UNREADABLE._value.get()
    opened = await Vault(vault, rings).open_members(account, ids)
    assert {(member.address, member.values["name"]) for member in opened} == {
        ("m2@example.jp", "人2"),
        ("m3@example.jp", "人3"),
    }
    assert UNREADABLE._value.get() == before + 2
    with pytest.raises(Tampered):
        await store.get(account, ids[0])
    assert [member.member_id for member in (await MemberList(vault, rings).page(account)).items] == ids[2:]


async def test_a_swapped_member_key_opens_nothing(store: MemberStore, account: UUID, vault_owner: asyncpg.Pool) -> None:
    ids = [(await store.create(account, f"m{number}@example.jp")).member_id for number in range(2)]
    await vault_owner.execute(
        "UPDATE keys.member_key m SET wrapped = o.wrapped FROM keys.member_key o "
        "WHERE (m.member_id, o.member_id) IN (($1, $2), ($2, $1))",
        *ids,
    )
    for member_id in ids:
        with pytest.raises(Tampered):
            await store.get(account, member_id)


async def test_groups_hold_members_by_id(
    store: MemberStore, account: UUID, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    groups = GroupStore(vault, new_id)
    group = await groups.create(account, "VIP")
    one = await store.create(account, "one@example.jp", groups=[group.group_id])
    two = await store.create(account, "two@example.jp")
    assert await groups.add(account, group.group_id, [one.member_id, two.member_id]) == 1
    assert (await store.get(account, two.member_id)).groups == (group.group_id,)
    assert await groups.take_out(account, group.group_id, [one.member_id]) == 1
    assert (await store.get(account, one.member_id)).groups == ()
    await groups.remove(account, group.group_id)
    assert (await store.get(account, two.member_id)).groups == ()
    with pytest.raises(InvalidInput):
        await store.change(account, one.member_id, 2, groups=[group.group_id])


async def test_required_attributes_are_required(
    store: MemberStore, account: UUID, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    await AttributeStore(vault, new_id).define(account, "plan", "text", required=True)
    with pytest.raises(InvalidInput) as caught:
        await store.create(account, "taro@example.jp")
    assert caught.value.faults[0].pointer == "/attributes/plan"
