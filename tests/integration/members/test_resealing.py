"""Members are brought over to new keys, indexes and protections while everything goes on."""

import asyncio
from typing import Any

import asyncpg
import pytest

from core.clock import Clock
from core.errors import Superseded
from core.ids import IdSource
from members.attribute import Protection
from members.errors import StillNeeded
from members.fence import hold_keys, move_on
from members.imports import run_import
from members.member import Consent
from members.resealing import load_progress, run
from tests.support.resealing import House, meanwhile


@pytest.mark.usefixtures("small_batches")
async def test_members_look_the_same_before_and_after(house: House, vault: asyncpg.Pool) -> None:
    ids = await house.filled()
    before = [await house.members.get(house.account, member_id) for member_id in ids]
    ciphertexts = await vault.fetch("SELECT sealed FROM member ORDER BY member_id")
    await house.renew("seal", "index")
    await house.reseal()
    assert [await house.members.get(house.account, member_id) for member_id in ids] == before
    assert await vault.fetch("SELECT sealed FROM member ORDER BY member_id") != ciphertexts
    assert await house.under() == ([2], [5])
    progress = await load_progress(vault, house.account)
    assert progress is not None
    assert (progress.state, progress.done, progress.total, progress.unreadable) == ("done", 10, 10, 0)


async def test_a_matchable_value_is_found_at_every_moment_of_a_rotation(house: House) -> None:
    await house.filled()
    assert await house.found("p1") == 5
    await house.rotation.add(house.account, "index")
    await house.rings.reload(house.account)
    assert await house.found("p1") == 5
    await house.rotation.promote(house.account, "index")
    await house.members.create(house.account, "new@example.jp", {"plan": "p1"})
    assert await house.found("p1") == 6
    await house.reseal()
    assert await house.found("p1") == 6
    await house.rotation.retire(house.account, "index")
    await house.rings.reload(house.account)
    assert await house.found("p1") == 6


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("new", ["open", "sealed"])
async def test_a_protection_changes_for_members_who_have_values(
    house: House, vault: asyncpg.Pool, new: Protection, new_id: IdSource
) -> None:
    (one, *_) = await house.filled()
    group = await house.groups.create(house.account, "VIP")
    await house.groups.add(house.account, group.group_id, [one])
    await house.protect(new)
    # Until all members are brought over, their sealed values are asked.
    assert await house.found("p1") == 5
    await house.members.create(house.account, "new@example.jp", {"plan": "p1"})
    assert await house.found("p1") == 6
    await house.reseal()
    assert await house.found("p1") == 6
    kinds = await vault.fetch("SELECT DISTINCT jsonb_object_keys(facets) AS kind FROM member ORDER BY 1")
    if new == "open":
        assert [row["kind"] for row in kinds] == ["groups", "open"]
    else:
        assert [row["kind"] for row in kinds] == ["groups"]
    assert (await house.members.get(house.account, one)).groups == (group.group_id,)
    assert not (await house.attributes.list(house.account))[1].resealing
    # Their keys are none the newer for it: only what changed is made anew.
    assert await house.under() == ([1], [2])


async def test_values_that_were_open_leave_no_trace_when_their_attribute_is_sealed(
    house: House, vault_owner: asyncpg.Pool
) -> None:
    await house.protect("open")
    await house.members.create(house.account, "taro@example.jp", {"plan": "visible-plan"})
    await house.protect("sealed")
    await house.reseal()
    assert "visible-plan" not in await vault_owner.fetchval("SELECT string_agg(m::text, '') FROM member m")


async def test_a_change_for_which_nobody_lags_touches_nobody(house: House, vault: asyncpg.Pool) -> None:
    await house.filled(2)
    async with vault.acquire() as connection, connection.transaction():
        await move_on(connection, house.account)
    await house.reseal()
    assert await house.under() == ([1], [1])


@pytest.mark.usefixtures("small_batches")
async def test_a_run_that_was_broken_off_goes_on_where_it_was(house: House, vault: asyncpg.Pool) -> None:
    await house.filled()
    await house.renew("seal")
    answers = iter([True, True, False])
    with pytest.raises(Superseded):
        await house.reseal(lambda: next(answers))
    broken = await load_progress(vault, house.account)
    assert broken is not None
    assert (broken.state, broken.total) == ("running", 10)
    assert 0 < broken.done < 10
    await house.reseal()
    done = await load_progress(vault, house.account)
    assert done is not None
    # What it had taken and not written is met in a second pass.
    assert (done.state, done.done, done.total, done.pass_) == ("done", 10, 10, 2)
    assert await house.under() == ([2], [3])


@pytest.mark.usefixtures("small_batches")
async def test_a_member_that_changes_meanwhile_keeps_its_change_and_is_met_again(
    house: House, vault: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await house.filled()
    await house.renew("seal", "index")

    async def change() -> None:
        await house.members.change(house.account, ids[0], 1, values={"name": "変"}, address="changed@example.jp")
        await house.members.erase(house.account, ids[1])

    raced = meanwhile(monkeypatch, change)
    await house.reseal()
    assert raced
    changed = await house.members.by_address(house.account, "changed@example.jp")
    assert (changed.member_id, changed.values["name"], changed.revision) == (ids[0], "変", 2)
    assert await vault.fetchval("SELECT count(*) FROM keys.member_key") == 9
    assert await vault.fetchval("SELECT count(*) FROM member WHERE member_id = $1", ids[1]) == 0
    assert await house.under() == ([2], [5])
    progress = await load_progress(vault, house.account)
    assert progress is not None
    assert (progress.done, progress.pass_) == (9, 2)


async def test_a_change_of_a_member_that_is_re_sealed_meanwhile_is_made_by_its_new_key_and_its_etag_holds(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = await house.filled(1)
    await house.renew("seal")
    await house.rings.reload(house.account)
    raced = False

    async def racing(connection: Any, ring: Any) -> None:
        nonlocal raced
        if not raced:
            raced = True
            await house.reseal()
        await hold_keys(connection, ring)

    monkeypatch.setattr("members.members.hold_keys", racing)
    await house.members.change(house.account, one, 1, values={"name": "変"})
    member = await house.members.get(house.account, one)
    assert (member.values["name"], member.revision) == ("変", 2)
    assert await house.under() == ([2], [3])


@pytest.mark.usefixtures("small_batches")
async def test_a_member_that_someone_holds_is_not_waited_for(house: House, vault: asyncpg.Pool) -> None:
    ids = await house.filled()
    await house.renew("seal")
    async with vault.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM member WHERE member_id = $1 FOR UPDATE", ids[0])
        resealing = asyncio.create_task(house.reseal())
        while (progress := await load_progress(vault, house.account)) is None or progress.pass_ < 3:
            assert not resealing.done()
            await asyncio.sleep(0)
        assert progress.done == 9
    await resealing
    assert await house.under() == ([2], [3])


@pytest.mark.usefixtures("small_batches")
async def test_keys_that_change_in_the_midst_are_the_new_goal(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.filled()
    await house.renew("seal")
    write, batches = run._Run._write, 0

    async def racing(self: Any, batch: Any) -> None:
        nonlocal batches
        batches += 1
        if batches == 3:
            await house.renew("seal")
        await write(self, batch)

    monkeypatch.setattr(run._Run, "_write", racing)
    await house.reseal()
    assert await house.under() == ([3], [5])


@pytest.mark.parametrize("broken", ["sealed", "key", "no key"])
@pytest.mark.usefixtures("small_batches")
async def test_a_member_that_can_not_be_opened_is_counted_and_holds_the_old_key(
    house: House, vault: asyncpg.Pool, broken: str
) -> None:
    ids = await house.filled()
    if broken == "no key":
        await vault.execute("DELETE FROM keys.member_key WHERE member_id = $1", ids[4])
    else:
        table, column = ("member", "sealed") if broken == "sealed" else ("keys.member_key", "wrapped")
        await vault.execute(f"UPDATE {table} SET {column} = set_byte({column}, 30, 255 - get_byte({column}, 30)) "
                            "WHERE member_id = $1", ids[4])  # fmt: skip
    await house.renew("seal")
    await house.reseal()
    progress = await load_progress(vault, house.account)
    assert progress is not None
    assert (progress.state, progress.done, progress.unreadable) == ("done", 9, 1)
    with pytest.raises(StillNeeded, match="1 members"):
        await house.rotation.retire(house.account, "seal")


async def test_an_upload_that_began_before_a_rotation_is_taken_after_it(
    house: House, new_id: IdSource, clock: Clock
) -> None:
    import_id = await house.imports.begin(house.account)
    await house.imports.add_block(house.account, import_id, 0, b"email,plan\nfile@example.jp,p1\nbad,p1\n")
    await house.renew("seal", "index")
    with pytest.raises(StillNeeded, match="1 files"):
        await house.rotation.retire(house.account, "seal")
    await house.reseal()
    await house.rotation.retire(house.account, "seal")
    await house.rotation.retire(house.account, "index")
    await house.imports.submit(house.account, import_id, {}, "form")
    await run_import(house.pool, house.rings, import_id, new_id, clock, lambda: True)
    done = await house.imports.get(house.account, import_id)
    assert (done.state, done.created, done.rejected) == ("finished", 1, 1)
    assert b"bad" in b"".join([piece async for piece in house.imports.rejects(house.account, import_id)])


async def test_where_consents_came_from_follows_a_member_to_its_new_key(house: House, clock: Clock) -> None:
    consent = Consent("form", clock.now(), origin="192.0.2.7")
    made = await house.members.create(house.account, "taro@example.jp", consent=consent)
    await house.renew("seal")
    await house.reseal()
    assert (await house.under())[0] == [2]
    assert [record.origin for record in await house.members.consents(house.account, made.member_id)] == ["192.0.2.7"]
