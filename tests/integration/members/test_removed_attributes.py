"""What a removal takes out of every member, and what it must not take along."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from members.attribute import Protection
from members.profile import load
from members.resealing import load_progress, run
from tests.support.resealing import House
from tests.support.segments import matching


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("protection", ["open", "matchable", "sealed"])
@pytest.mark.parametrize("with_new_key", [False, True])
async def test_values_of_a_removed_attribute_are_cleared_from_facets_and_profile(
    house: House, vault: asyncpg.Pool, protection: Protection, with_new_key: bool
) -> None:
    shoe = await house.attributes.define(house.account, "shoe", "number", protection=protection)
    ids = await house.filled(5)
    for member_id in ids:
        await house.members.change(house.account, member_id, 1, values={"shoe": 26})
    await house.attributes.remove(house.account, shoe.attribute_id)
    # Written in between, a member keeps what nobody sees until its turn comes.
    await house.rings.reload(house.account)
    await house.members.change(house.account, ids[0], 2, values={"name": "鈴木"})
    if with_new_key:
        await house.renew("seal")
    before = [(await house.members.get(house.account, member_id)).values for member_id in ids]
    await house.reseal()
    assert [(await house.members.get(house.account, member_id)).values for member_id in ids] == before
    assert await vault.fetchval("SELECT count(*) FROM member WHERE facets::text LIKE '%shoe%'") == 0
    profiles = [load(await opened(house, member_id)).values for member_id in ids]
    assert [profile.keys() for profile in profiles] == [{"name", "plan"}] * 5
    progress = await load_progress(vault, house.account)
    assert progress is not None
    assert (progress.state, progress.done) == ("done", 5)


async def opened(house: House, member_id: UUID) -> bytes:
    """What is sealed of a member, all of it."""
    row = await house.pool.fetchrow(
        "SELECT m.sealed, k.ring_version, k.wrapped FROM member m JOIN keys.member_key k USING (account_id, member_id)"
        " WHERE member_id = $1",
        member_id,
    )
    assert row is not None
    opener = (await house.rings.reload(house.account)).opener()
    return opener.open_bytes(member_id.bytes, row["sealed"], row["ring_version"], row["wrapped"])


@pytest.mark.usefixtures("small_batches")
async def test_an_attribute_that_is_defined_in_the_midst_loses_none_of_its_values(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await house.filled(10)
    await house.renew("index")
    take, batches = run._Run._take, 0

    async def defining(self: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 2:
            await house.rings.reload(house.account)
            await house.attributes.define(house.account, "shoe", "number", protection="open")
            await house.members.change(house.account, ids[-1], 1, values={"shoe": 26})
        return await take(self)

    monkeypatch.setattr(run._Run, "_take", defining)
    await house.reseal()
    assert (await house.members.get(house.account, ids[-1])).values["shoe"] == 26
    assert await matching(house.pool, house.rings, house.account, {"attribute": "shoe", "equals": 26}) == 1
