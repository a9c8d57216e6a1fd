"""Whoever writes to the vault by hand is found out: each kind of tampering, by name."""

import os
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.errors import ConfigurationError
from core.ids import IdSource
from members.accounts import open_account
from members.attribute import Choice
from members.attributes import AttributeStore
from members.groups import GroupStore
from members.kek import Kek
from members.keyring import KeyRings, Ring
from members.member import Consent
from members.members import MemberStore
from members.resealing import reseal
from members.rotation import Purpose, Rotation
from members.verification import Fault, Finding, verify_members

MEMBERS = 12
PURPOSES: tuple[Purpose, ...] = ("seal", "index")


class House:
    """Two accounts whose members have values of every protection."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self.pool = pool
        self.rings = rings
        self.members: dict[UUID, list[UUID]] = {}

    async def found(self) -> list[Finding]:
        return [
            finding async for finding in verify_members(self.pool, KeyRings(self.pool, Kek(bytes(range(32)))), page=5)
        ]


@pytest.fixture
async def house(vault: asyncpg.Pool, kek: Kek, rings: KeyRings, new_id: IdSource, clock: Clock) -> House:
    house = House(vault, rings)
    attributes, members, groups = (
        AttributeStore(vault, new_id),
        MemberStore(vault, rings, new_id),
        GroupStore(vault, new_id),
    )
    consent = Consent("form", clock.now())
    for account_id in (new_id(), new_id()):
        await open_account(vault, kek, account_id, new_id)
        await attributes.define(
            account_id, "city", "choice", protection="open", choices=[Choice(one, {}) for one in ("tokyo", "osaka")]
        )
        await attributes.define(account_id, "plan", "text", protection="matchable")
        await attributes.define(account_id, "likes", "tags", protection="matchable")
        group = await groups.create(account_id, "vip")
        house.members[account_id] = [
            (
                await members.create(
                    account_id,
                    f"member{n}@example{n % 3}.jp",
                    {"name": "山田", "city": ("tokyo", "osaka")[n % 2], "plan": f"p{n}", "likes": ["a", f"b{n}"]},
                    consent=consent,
                    groups=[group.group_id],
                )
            ).member_id
            for n in range(MEMBERS)
        ]
    return house


async def test_a_vault_as_it_was_written_has_no_fault_and_every_member_is_seen(house: House) -> None:
    seen: list[tuple[int, int]] = []
    found = [
        one
        async for one in verify_members(house.pool, house.rings, page=5, seen=lambda *progress: seen.append(progress))
    ]
    assert found == []
    assert seen[-1] == (2 * MEMBERS, 2 * MEMBERS)


async def test_a_changed_an_erased_and_a_member_without_values_have_no_fault(
    house: House, new_id: IdSource, vault: asyncpg.Pool
) -> None:
    members = MemberStore(vault, house.rings, new_id)
    for account_id, ids in house.members.items():
        await members.change(account_id, ids[0], 1, address="moved@example.org", values={"plan": None, "city": "osaka"})
        await members.erase(account_id, ids[1])
        await members.create(account_id, "bare@example.jp")
    assert await house.found() == []


async def test_a_renamed_attribute_is_no_fault(house: House, new_id: IdSource, vault: asyncpg.Pool) -> None:
    attributes = AttributeStore(vault, new_id)
    for account_id in house.members:
        for attribute in await attributes.list(account_id):
            if attribute.name in {"city", "likes"}:
                renamed = f"{attribute.name}_now"
                await attributes.change(account_id, attribute.attribute_id, attribute.revision, name=renamed)
    assert await house.found() == []


async def test_values_of_a_removed_attribute_are_no_fault(house: House, new_id: IdSource, vault: asyncpg.Pool) -> None:
    attributes = AttributeStore(vault, new_id)
    for account_id in house.members:
        for attribute in await attributes.list(account_id):
            if attribute.name in {"city", "likes"}:
                await attributes.remove(account_id, attribute.attribute_id)
    assert await house.found() == []


async def test_at_no_moment_of_a_rotation_or_a_change_of_protection_is_there_a_fault(
    house: House, new_id: IdSource, vault: asyncpg.Pool, kek: Kek
) -> None:
    rotation, attributes = Rotation(vault, kek, os.urandom), AttributeStore(vault, new_id)
    members = MemberStore(vault, house.rings, new_id)
    for account_id, ids in house.members.items():
        for purpose in PURPOSES:
            await rotation.add(account_id, purpose)
            assert await house.found() == []
            await rotation.promote(account_id, purpose)
        for attribute in await attributes.list(account_id):
            if attribute.name in {"city", "plan"}:
                await attributes.change(account_id, attribute.attribute_id, attribute.revision, protection="sealed")
        assert await house.found() == []
        await house.rings.reload(account_id)
        await members.create(account_id, "new@example.jp", {"plan": "p1"})
        await members.change(account_id, ids[0], 1, values={"name": "鈴木"})
        assert await house.found() == []
        await reseal(vault, house.rings, account_id, lambda: True)
        assert await house.found() == []
        for purpose in PURPOSES:
            await rotation.retire(account_id, purpose)
    assert await house.found() == []


async def test_a_plain_value_left_behind_by_a_change_of_protection_is_found_once_all_are_brought_over(
    house: House, new_id: IdSource, vault: asyncpg.Pool, vault_owner: asyncpg.Pool
) -> None:
    account_id, ids = next(iter(house.members.items()))
    attributes = AttributeStore(vault, new_id)
    [city] = [one for one in await attributes.list(account_id) if one.name == "city"]
    await attributes.change(account_id, city.attribute_id, city.revision, protection="sealed")
    await reseal(vault, house.rings, account_id, lambda: True)
    await vault_owner.execute(
        "UPDATE member SET facets = jsonb_set(facets, '{open}', '{\"city\": \"tokyo\"}') WHERE member_id = $1", ids[0]
    )
    assert await house.found() == [Finding(account_id, ids[0], Fault.FACETS_DIFFER)]


TAMPERINGS: dict[str, tuple[str, set[Fault]]] = {
    "the profile of another": (
        "UPDATE member m SET sealed = o.sealed FROM member o WHERE m.member_id = $1 AND o.member_id = $2",
        {Fault.PROFILE_UNREADABLE},
    ),
    "the key of another": (
        (
            "UPDATE keys.member_key m SET wrapped = o.wrapped FROM keys.member_key o "
            "WHERE m.member_id = $1 AND o.member_id = $2"
        ),
        {Fault.KEY_UNREADABLE},
    ),
    "a key version that is not there": (
        "UPDATE keys.member_key SET ring_version = 7 WHERE member_id = $1 AND member_id <> $2",
        {Fault.KEY_UNREADABLE},
    ),
    "no key": ("DELETE FROM keys.member_key WHERE member_id = $1 AND member_id <> $2", {Fault.KEY_MISSING}),
    "an altered byte": (
        (
            "UPDATE member SET sealed = set_byte(sealed, 40, 255 - get_byte(sealed, 40)) "
            "WHERE member_id = $1 AND member_id <> $2"
        ),
        {Fault.PROFILE_UNREADABLE},
    ),
    "an open value changed": (
        (
            "UPDATE member SET facets = jsonb_set(facets, '{open,city}', '\"nagoya\"') "
            "WHERE member_id = $1 AND member_id <> $2"
        ),
        {Fault.FACETS_DIFFER},
    ),
    "an open value added": (
        "UPDATE member SET facets = jsonb_set(facets, '{open,name}', '\"x\"') WHERE member_id = $1 AND member_id <> $2",
        {Fault.FACETS_DIFFER},
    ),
    "the tokens of another": (
        (
            "UPDATE member m SET facets = jsonb_set(m.facets, '{match}', o.facets->'match') FROM member o "
            "WHERE m.member_id = $1 AND o.member_id = $2"
        ),
        {Fault.FACETS_DIFFER},
    ),
    "no facets": (
        "UPDATE member SET facets = '{}' WHERE member_id = $1 AND member_id <> $2",
        {Fault.FACETS_DIFFER},
    ),
    "another tag": (
        "UPDATE member SET tag = tag + 1 WHERE member_id = $1 AND member_id <> $2",
        {Fault.TAG_DIFFERS},
    ),
    "the suppression hash of another": (
        (
            "UPDATE member m SET suppression_hash = o.suppression_hash FROM member o "
            "WHERE m.member_id = $1 AND o.member_id = $2"
        ),
        {Fault.SUPPRESSION_HASH_DIFFERS, Fault.ADDRESS_TWICE},
    ),
    "no index": (
        "DELETE FROM address_index WHERE member_id = $1 AND member_id <> $2",
        {Fault.INDEX_MISSING},
    ),
    "an index entry of an address that it has not": (
        "UPDATE address_index SET hmac = sha256(hmac) WHERE member_id = $1 AND member_id <> $2",
        {Fault.INDEX_MISSING, Fault.INDEX_DIFFERS},
    ),
    "a second index entry": (
        (
            "INSERT INTO address_index SELECT account_id, index_version, sha256(hmac), member_id FROM address_index "
            "WHERE member_id = $1 AND member_id <> $2"
        ),
        {Fault.INDEX_DIFFERS},
    ),
}


@pytest.mark.parametrize(("statement", "faults"), TAMPERINGS.values(), ids=TAMPERINGS)
async def test_tampering_with_one_member_is_found_and_named_and_nobody_else_is(
    house: House, vault_owner: asyncpg.Pool, statement: str, faults: set[Fault]
) -> None:
    account_id = min(house.members)
    victim, other = house.members[account_id][4], house.members[account_id][7]
    await vault_owner.execute(statement, victim, other)
    found = await house.found()
    expected = {Finding(account_id, victim, fault) for fault in faults}
    if Fault.ADDRESS_TWICE in faults:
        expected.add(Finding(account_id, other, Fault.ADDRESS_TWICE))
    assert set(found) == expected


async def test_rows_moved_to_another_account_are_found_there(house: House, vault_owner: asyncpg.Pool) -> None:
    (one, theirs), (other, ours) = house.members.items()
    for statement in (
        "UPDATE member m SET sealed = o.sealed FROM member o WHERE m.member_id = $1 AND o.member_id = $2",
        (
            "UPDATE keys.member_key m SET wrapped = o.wrapped FROM keys.member_key o "
            "WHERE m.member_id = $1 AND o.member_id = $2"
        ),
    ):
        # Profile and key together: with the key of the same member, and still in the wrong place.
        await vault_owner.execute(statement, theirs[0], ours[0])
    assert set(await house.found()) == {Finding(one, theirs[0], Fault.KEY_UNREADABLE)}
    assert other != one


async def test_a_row_whose_member_is_gone_is_found(house: House, vault_owner: asyncpg.Pool, new_id: IdSource) -> None:
    account_id, nobody = min(house.members), new_id()
    await vault_owner.execute("INSERT INTO keys.member_key VALUES ($1, $2, 1, '\\x00')", account_id, nobody)
    await vault_owner.execute(
        "ALTER TABLE address_index DROP CONSTRAINT IF EXISTS address_index_account_id_member_id_fkey"
    )
    await vault_owner.execute("INSERT INTO address_index VALUES ($1, 1, '\\x01', $2)", account_id, nobody)
    assert set(await house.found()) == {
        Finding(account_id, nobody, Fault.KEY_OF_NOBODY),
        Finding(account_id, nobody, Fault.INDEX_OF_NOBODY),
    }


RINGS: dict[str, str] = {
    "altered": "UPDATE keys.ring SET wrapped = set_byte(wrapped, 20, 255 - get_byte(wrapped, 20)) "
    "WHERE account_id = $1",
    "gone": "DELETE FROM keys.ring WHERE account_id = $1",
}


@pytest.mark.parametrize("statement", RINGS.values(), ids=RINGS)
async def test_an_account_whose_ring_does_not_open_is_named_and_the_others_are_checked(
    house: House, vault_owner: asyncpg.Pool, statement: str
) -> None:
    broken, whole = sorted(house.members)
    await vault_owner.execute(statement, broken)
    await vault_owner.execute("UPDATE member SET tag = 0 WHERE member_id = $1", house.members[whole][0])
    assert await house.found() == [
        Finding(broken, None, Fault.RING_UNREADABLE),
        Finding(whole, house.members[whole][0], Fault.TAG_DIFFERS),
    ]


async def test_with_another_kek_nothing_is_said_of_the_members(house: House, vault: asyncpg.Pool) -> None:
    with pytest.raises(ConfigurationError):
        [finding async for finding in verify_members(vault, KeyRings(vault, Kek(bytes(32))))]


async def test_what_was_only_in_between_is_not_reported(house: House, vault_owner: asyncpg.Pool) -> None:
    """What looks wrong is looked at again: here it is mended while the page is being read."""
    account_id = min(house.members)
    victim = house.members[account_id][0]
    row = await vault_owner.fetchrow("SELECT tag FROM member WHERE member_id = $1", victim)
    assert row is not None
    await vault_owner.execute("UPDATE member SET tag = tag + 1 WHERE member_id = $1", victim)
    rings = Mending(
        house.pool,
        Kek(bytes(range(32))),
        lambda: vault_owner.execute("UPDATE member SET tag = $2 WHERE member_id = $1", victim, row["tag"]),
    )
    assert [finding async for finding in verify_members(house.pool, rings)] == []


class Mending(KeyRings):
    """Rings whose second reading of an account comes when the fault is gone."""

    def __init__(self, pool: asyncpg.Pool, kek: Kek, mend: Callable[[], Awaitable[object]]) -> None:
        super().__init__(pool, kek)
        self._mend = mend
        self._read = 0

    async def reload(self, account_id: UUID) -> Ring:
        self._read += 1
        if self._read == 2:
            await self._mend()
        return await super().reload(account_id)
