"""Who seals or indexes, and who changes keys or protections, never pass each other unseen."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.errors import StaleRevision, Unavailable
from core.ids import IdSource
from members import fence
from members.attributes import AttributeStore
from members.errors import Overtaken
from members.fence import hold_keys, move_on
from members.imports import ImportStore, run_import
from members.imports.merge import Merge
from members.keyring import KeyRings
from members.members import MemberStore
from tests.support.waiting import eventually


@pytest.fixture
def store(vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> MemberStore:
    return MemberStore(vault, rings, new_id)


@asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncIterator[Any]:
    async with pool.acquire() as connection, connection.transaction():
        yield connection


def waiting(vault: asyncpg.Pool, number: int = 1) -> Callable[[], Any]:
    async def asked() -> bool:
        found: int = await vault.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return found >= number

    return asked


async def generation(vault: asyncpg.Pool, member_id: UUID) -> int:
    found: int = await vault.fetchval("SELECT generation FROM member WHERE member_id = $1", member_id)
    return found


async def test_an_old_generation_can_not_be_held(vault: asyncpg.Pool, rings: KeyRings, account: UUID) -> None:
    ring = await rings.ring(account)
    async with transaction(vault) as connection:
        await hold_keys(connection, ring)
    async with transaction(vault) as connection:
        assert await move_on(connection, account) == ring.generation + 1
    with pytest.raises(Overtaken):
        async with transaction(vault) as connection:
            await hold_keys(connection, ring)


async def test_a_store_sees_nothing_of_a_change_of_keys_and_writes_by_the_new_ones(
    store: MemberStore, vault: asyncpg.Pool, account: UUID
) -> None:
    before = await store.create(account, "before@example.jp")
    async with transaction(vault) as connection:
        await move_on(connection, account)
    after = await store.create(account, "after@example.jp")
    assert [await generation(vault, made.member_id) for made in (before, after)] == [1, 2]
    async with transaction(vault) as connection:
        await move_on(connection, account)
    changed = await store.change(account, before.member_id, 1, values={"name": "太郎"})
    assert (changed.revision, changed.values) == (2, {"name": "太郎"})
    # It was only changed, not brought over to the new keys: re-sealing still has to.
    assert await generation(vault, before.member_id) == 1


async def test_a_store_that_is_overtaken_again_and_again_gives_up(
    store: MemberStore, vault: asyncpg.Pool, account: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0

    async def overtaken(*_: object) -> None:
        nonlocal tries
        tries += 1
        raise Overtaken

    monkeypatch.setattr("members.members.hold_keys", overtaken)
    with pytest.raises(Overtaken):
        await store.create(account, "taro@example.jp")
    assert tries == fence.MAX_TRIES
    assert await vault.fetchval("SELECT count(*) FROM member") == 0


async def test_a_change_of_keys_waits_for_the_writes_under_way_and_is_not_kept_waiting_by_later_ones(
    vault: asyncpg.Pool, rings: KeyRings, account: UUID
) -> None:
    ring = await rings.ring(account)

    async def change() -> None:
        async with transaction(vault) as connection:
            await move_on(connection, account)

    async def write() -> None:
        async with transaction(vault) as connection:
            await hold_keys(connection, ring)

    async with transaction(vault) as under_way:
        await hold_keys(under_way, ring)
        changing = asyncio.create_task(change())
        await eventually(waiting(vault))
        # Row locks alone would let this one in, and after it the next, for ever.
        writing = asyncio.create_task(write())
        await eventually(waiting(vault, 2))
        assert not changing.done()
    await changing
    with pytest.raises(Overtaken):
        await writing


async def test_a_write_that_does_not_end_stops_a_change_of_keys_for_a_bounded_time(
    vault: asyncpg.Pool, rings: KeyRings, account: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "PATIENCE", "50ms")
    async with transaction(vault) as under_way:
        await hold_keys(under_way, await rings.ring(account))
        with pytest.raises(Unavailable):
            async with transaction(vault) as connection:
                await move_on(connection, account)


async def test_a_re_sealing_between_reading_and_writing_loses_no_change_and_fails_no_etag(
    store: MemberStore, vault: asyncpg.Pool, account: UUID
) -> None:
    made = await store.create(account, "taro@example.jp", {"name": "一"})
    async with transaction(vault) as resealing:
        await resealing.execute("UPDATE member SET generation = generation + 1")
        changing = asyncio.create_task(store.change(account, made.member_id, 1, values={"name": "二"}))
        await eventually(waiting(vault))
    changed = await changing
    assert (changed.revision, changed.values) == (2, {"name": "二"})
    assert await generation(vault, made.member_id) == 2


async def test_of_two_changes_of_one_revision_one_is_refused(
    store: MemberStore, vault: asyncpg.Pool, account: UUID
) -> None:
    made = await store.create(account, "taro@example.jp", {"name": "一"})
    async with transaction(vault) as other:
        await other.execute("UPDATE member SET revision = revision + 1")
        changing = asyncio.create_task(store.change(account, made.member_id, 1, values={"name": "二"}))
        await eventually(waiting(vault))
    with pytest.raises(StaleRevision):
        await changing
    assert (await store.get(account, made.member_id)).values == {"name": "一"}


async def test_a_protection_that_changes_before_the_first_value_is_written_rules_that_value(
    store: MemberStore, vault: asyncpg.Pool, account: UUID, new_id: IdSource
) -> None:
    attributes = AttributeStore(vault, new_id)
    plan = await attributes.define(account, "plan", "text", protection="open")
    async with transaction(vault) as other:
        # As `AttributeStore.change` does it, stopped before its commit.
        await move_on(other, account)
        await other.execute("UPDATE attribute SET protection = 'sealed', revision = 2 WHERE name = 'plan'")
        creating = asyncio.create_task(store.create(account, "taro@example.jp", {"plan": "gold"}))
        await eventually(waiting(vault))
    made = await creating
    assert made.values == {"plan": "gold"}
    assert await vault.fetchval("SELECT facets FROM member") == {}
    assert (await attributes.get(account, plan.attribute_id)).used


async def test_an_import_goes_on_by_the_new_keys_when_they_change_in_its_midst(
    store: MemberStore,
    vault: asyncpg.Pool,
    rings: KeyRings,
    account: UUID,
    new_id: IdSource,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imports = ImportStore(vault, rings, new_id)
    import_id = await imports.begin(account)
    await imports.add_block(account, import_id, 0, b"email,name\na@example.jp,A\nb@example.jp,B\n")
    await imports.submit(account, import_id, {}, "form")
    look, raced = Merge.look, False

    async def racing(self: Merge, pool: asyncpg.Pool, rows: Any, **how: Any) -> Any:
        nonlocal raced
        if not raced:
            raced = True
            async with transaction(vault) as connection:
                await move_on(connection, account)
        return await look(self, pool, rows, **how)

    monkeypatch.setattr(Merge, "look", racing)
    await run_import(vault, rings, import_id, new_id, clock, lambda: True)
    done = await imports.get(account, import_id)
    assert (done.state, done.created, done.rejected) == ("finished", 2, 0)
    assert await vault.fetchval("SELECT array_agg(DISTINCT generation) FROM member") == [2]
