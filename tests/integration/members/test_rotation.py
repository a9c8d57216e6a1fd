"""A ring's versions come and go only when every process and every member is ready for it."""

import os
from uuid import UUID

import asyncpg
import pytest
from cryptography.exceptions import InvalidTag

from core.clock import Clock, FixedClock
from core.errors import Conflict, NotFound
from core.ids import IdSource
from members.errors import AddressTaken, NotAcknowledged, StillNeeded
from members.holders import UNREAD, Holder, behind
from members.kek import Kek
from members.keyring import KeyRings
from members.members import MemberStore
from members.resealing import reseal
from members.rotation import Purpose, Rotation
from tests.support.postgres import shift_clock
from tests.support.waiting import eventually


@pytest.fixture
def rotation(vault: asyncpg.Pool, kek: Kek) -> Rotation:
    return Rotation(vault, kek, os.urandom)


@pytest.fixture
def store(vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> MemberStore:
    return MemberStore(vault, rings, new_id)


def holder(vault: asyncpg.Pool, clock: Clock, new_id: IdSource, kind: str = "api") -> Holder:
    return Holder(vault, clock, holder=new_id(), kind=kind, seconds=10, beat=1)


async def rotate(rotation: Rotation, account: UUID, purpose: Purpose, vault: asyncpg.Pool, rings: KeyRings) -> None:
    await rotation.add(account, purpose)
    await rotation.promote(account, purpose)
    await reseal(vault, rings, account, lambda: True)
    await rotation.retire(account, purpose)


async def test_a_new_version_is_open_at_first_then_primary_and_the_old_one_is_destroyed(
    rotation: Rotation, account: UUID, vault: asyncpg.Pool, rings: KeyRings
) -> None:
    assert await rotation.add(account, "seal") == 2
    ring = await rings.reload(account)
    assert (ring.primary_seal, set(ring.sealing)) == (1, {1, 2})
    assert await rotation.promote(account, "seal") == 2
    assert (await rings.reload(account)).primary_seal == 2
    await reseal(vault, rings, account, lambda: True)
    assert await rotation.retire(account, "seal") == [1]
    assert set((await rings.reload(account)).sealing) == {2}
    states = {(one.purpose, one.version): one.state for one in await rotation.versions(account)}
    assert states == {("seal", 1): "retired", ("seal", 2): "primary", ("index", 1): "primary"}
    assert await vault.fetchval("SELECT wrapped FROM keys.ring WHERE state = 'retired'") == b""


async def test_a_second_version_is_not_added_before_the_first_is_promoted(rotation: Rotation, account: UUID) -> None:
    with pytest.raises(Conflict):
        await rotation.promote(account, "seal")
    await rotation.add(account, "seal")
    with pytest.raises(Conflict):
        await rotation.add(account, "seal")
    assert await rotation.retire(account, "seal") == []
    assert len(await rotation.versions(account)) == 3


async def test_an_account_without_keys_has_none_to_rotate(rotation: Rotation, new_id: IdSource) -> None:
    for change in (rotation.add, rotation.promote, rotation.retire):
        with pytest.raises(NotFound):
            await change(new_id(), "seal")


@pytest.mark.parametrize("purpose", ["seal", "index"])
async def test_promotion_and_retirement_wait_for_every_living_process(
    rotation: Rotation,
    account: UUID,
    vault: asyncpg.Pool,
    rings: KeyRings,
    clock: Clock,
    new_id: IdSource,
    purpose: Purpose,
) -> None:
    api, worker = holder(vault, clock, new_id), holder(vault, clock, new_id, "worker bulk")
    await rings.ring(account)
    for one in (api, worker):
        await one.beat(rings)
    await rotation.add(account, purpose)
    with pytest.raises(NotAcknowledged, match="1 api, 1 worker bulk"):
        await rotation.promote(account, purpose)
    await api.beat(rings)
    with pytest.raises(NotAcknowledged, match="1 worker bulk"):
        await rotation.promote(account, purpose)
    await worker.beat(rings)
    await rotation.promote(account, purpose)
    await reseal(vault, rings, account, lambda: True)
    with pytest.raises(NotAcknowledged):
        await rotation.retire(account, purpose)
    for one in (api, worker):
        await one.beat(rings)
    assert await rotation.retire(account, purpose) == [1]


async def test_a_dead_process_is_not_waited_for(
    rotation: Rotation,
    account: UUID,
    vault: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
    rings: KeyRings,
    clock: Clock,
    new_id: IdSource,
) -> None:
    await holder(vault, clock, new_id).beat(rings)
    await rotation.add(account, "seal")
    await shift_clock(vault_owner, 11)
    await rotation.promote(account, "seal")
    assert (await rings.reload(account)).primary_seal == 2


async def test_a_process_that_stops_is_not_waited_for(
    rotation: Rotation, account: UUID, vault: asyncpg.Pool, rings: KeyRings, clock: Clock, new_id: IdSource
) -> None:
    async with holder(vault, clock, new_id).kept(rings):
        pass
    await rotation.add(account, "seal")
    await rotation.promote(account, "seal")
    assert (await rings.reload(account)).primary_seal == 2


async def test_a_process_that_was_away_reads_a_ring_before_it_uses_it(
    rotation: Rotation, account: UUID, vault: asyncpg.Pool, kek: Kek, clock: Clock, new_id: IdSource
) -> None:
    fixed = FixedClock(clock.now())
    away = holder(vault, fixed, new_id)
    rings = KeyRings(vault, kek, current=away.current)
    await rings.ring(account)
    await away.beat(rings)
    await rotation.add(account, "seal")
    assert set((await rings.ring(account)).sealing) == {1}
    fixed.advance(10)
    assert set((await rings.ring(account)).sealing) == {1, 2}


async def test_a_process_that_can_not_open_a_new_version_acknowledges_nothing_and_lives_on(
    account: UUID, vault: asyncpg.Pool, rings: KeyRings, clock: Clock, new_id: IdSource
) -> None:
    one = Holder(vault, clock, holder=new_id(), kind="api", seconds=10, beat=0.01)
    strange = Rotation(vault, Kek(os.urandom(32)), os.urandom)
    ring = await rings.ring(account)
    before = UNREAD._value.get()

    async def acknowledged() -> bool:
        newest = max(version.epoch for version in await strange.versions(account))
        return not await behind(vault, newest)

    async def tried_again() -> bool:
        return UNREAD._value.get() > before + 1

    async with one.kept(rings):
        await eventually(acknowledged)
        await strange.add(account, "seal")
        await eventually(tried_again)
        assert not await acknowledged()
        with pytest.raises(NotAcknowledged):
            await strange.promote(account, "seal")
        assert await rings.ring(account) is ring


@pytest.mark.parametrize("purpose", ["seal", "index"])
async def test_a_version_that_a_member_needs_is_not_destroyed(
    rotation: Rotation, account: UUID, vault: asyncpg.Pool, rings: KeyRings, store: MemberStore, purpose: Purpose
) -> None:
    made = await store.create(account, "taro@example.jp")
    await rotation.add(account, purpose)
    await rotation.promote(account, purpose)
    with pytest.raises(StillNeeded, match="1 members"):
        await rotation.retire(account, purpose)
    assert await store.by_address(account, "taro@example.jp") == made
    await reseal(vault, rings, account, lambda: True)
    assert await rotation.retire(account, purpose) == [1]
    assert await store.by_address(account, "taro@example.jp") == made


async def test_an_address_is_unique_at_every_moment_of_a_rotation(
    rotation: Rotation, account: UUID, vault: asyncpg.Pool, rings: KeyRings, store: MemberStore
) -> None:
    first = await store.create(account, "first@example.jp")
    expected = {"first@example.jp": first.member_id}

    async def holds(address: str) -> None:
        expected[address] = (await store.create(account, address)).member_id
        for known, member_id in expected.items():
            with pytest.raises(AddressTaken):
                await store.create(account, known)
            assert (await store.by_address(account, known)).member_id == member_id

    await rotation.add(account, "index")
    await holds("added@example.jp")
    moved = await store.change(account, first.member_id, 1, address="moved@example.jp")
    expected = {"moved@example.jp": moved.member_id, **{k: v for k, v in expected.items() if v != moved.member_id}}
    await rotation.promote(account, "index")
    await holds("promoted@example.jp")
    await reseal(vault, rings, account, lambda: True)
    await holds("resealed@example.jp")
    await rotation.retire(account, "index")
    await holds("retired@example.jp")
    assert await vault.fetchval("SELECT array_agg(DISTINCT index_version) FROM address_index") == [2]
    assert await vault.fetchval("SELECT count(*) FROM address_index") == len(expected)


async def test_after_a_rotation_the_old_key_opens_nothing(
    rotation: Rotation, account: UUID, vault: asyncpg.Pool, rings: KeyRings, store: MemberStore
) -> None:
    made = [await store.create(account, f"m{number}@example.jp", {"name": f"人{number}"}) for number in range(5)]
    stolen = (await rings.ring(account)).sealing[1]
    for _ in range(2):
        await rotate(rotation, account, "seal", vault, rings)
    rows = await vault.fetch("SELECT member_id, wrapped, ring_version FROM keys.member_key")
    assert {row["ring_version"] for row in rows} == {3}
    for row in rows:
        for version in (1, 3):
            aad = account.bytes + b"member_key" + version.to_bytes(4, "big") + row["member_id"].bytes
            with pytest.raises(InvalidTag):
                stolen.decrypt(row["wrapped"][:12], row["wrapped"][12:], aad)
    for member in made:
        assert await store.get(account, member.member_id) == member


async def test_members_of_each_version_are_counted(rotation: Rotation, account: UUID, store: MemberStore) -> None:
    await store.create(account, "old@example.jp")
    for purpose in ("seal", "index"):
        await rotation.add(account, purpose)
        await rotation.promote(account, purpose)
    await store.create(account, "new@example.jp")
    assert await rotation.members_under(account, "seal") == {1: 1, 2: 1}
    assert await rotation.members_under(account, "index") == {1: 2, 2: 1}
