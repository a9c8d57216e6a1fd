"""Workers share the re-sealing of one account, and whoever is left does what a killed one leaves."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.ids import IdSource
from deploy.dsns import Dsns
from members.addresses import parse
from members.bulk import BulkStore, Item
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent
from members.resealing import Progress, load_progress, reseal, run
from members.rotation import Rotation
from members.vault import Vault
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[3]
KEK = bytes(range(32))
"""The fixtures'."""
MEMBERS = 60
BEGUN = "INSERT INTO reseal (account_id, goal, state, after, total, bounds) VALUES ($1, 3, 'running', $2, $3, $4)"
WAITING = """SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database
             WHERE NOT granted AND datname = current_database()"""


@pytest.fixture
async def promoted(vault: asyncpg.Pool, kek: Kek, rings: KeyRings, account: UUID, new_id: IdSource) -> set[UUID]:
    """Members who lag behind a new seal key."""
    items = [Item(f"m{number}@example.jp", {}) for number in range(MEMBERS)]
    moment = await vault.fetchval("SELECT app.now()")
    made = await BulkStore(vault, rings, new_id).merge(account, items, consent=Consent("form", moment))
    rotation = Rotation(vault, kek, os.urandom)
    await rotation.add(account, "seal")
    await rotation.promote(account, "seal")
    return {one.member_id for one in made if one.member_id is not None}


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[list[UUID]]:
    """Who is taken by the workers of this process, range by range."""
    take, ranges = run._Run._take, list[list[UUID]]()

    async def noted(self: Any) -> Any:
        rows = await take(self)
        if rows is not None:
            ranges.append([UUID(bytes=row[1]) for row in rows])
        return rows

    monkeypatch.setattr(run._Run, "_take", noted)
    return ranges


async def progress_of(vault: asyncpg.Pool, account: UUID) -> Progress:
    found = await load_progress(vault, account)
    assert found is not None
    return found


async def assert_whole(vault: asyncpg.Pool, kek: Kek, account: UUID, members: set[UUID]) -> None:
    done = await progress_of(vault, account)
    assert (done.state, done.done, done.total, done.unreadable) == ("done", MEMBERS, MEMBERS, 0)
    assert await vault.fetchval("SELECT array_agg(DISTINCT ring_version) FROM keys.member_key") == [2]
    assert await vault.fetchval("SELECT array_agg(DISTINCT generation) FROM member") == [3]
    opened = await Vault(vault, KeyRings(vault, kek)).open_members(account, list(members))
    assert {one.member_id for one in opened} == members
    assert all(parse(one.address) for one in opened)


async def test_workers_share_an_account_and_each_member_is_sealed_by_one_of_them(
    vault: asyncpg.Pool, kek: Kek, account: UUID, promoted: set[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 1)
    write, writers = run._Run._write, {}

    async def noted(self: Any, batch: Any) -> None:
        writers.setdefault(self._rings, []).extend(UUID(bytes=row[1]) for row in batch.rows)
        await write(self, batch)

    monkeypatch.setattr(run._Run, "_write", noted)
    await asyncio.gather(*(reseal(vault, KeyRings(vault, kek), account, lambda: True) for _ in range(3)))
    assert len(writers) == 3
    assert Counter(member for sealed in writers.values() for member in sealed) == Counter(promoted)
    await assert_whole(vault, kek, account, promoted)
    assert (await progress_of(vault, account)).pass_ == 1


async def test_what_a_worker_takes_grows_less_as_less_is_left(
    vault: asyncpg.Pool,
    rings: KeyRings,
    account: UUID,
    promoted: set[UUID],
    taken: list[list[UUID]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "BATCH", 1)
    await reseal(vault, rings, account, lambda: True)
    assert [len(members) for members in taken] == [10, 10, 10, 10, 7, 4, 3, 3, 3]
    assert [member for members in taken for member in members] == sorted(promoted)


async def test_of_members_who_stood_in_no_order_each_is_taken_once_and_no_more_at_a_time(
    vault: asyncpg.Pool,
    kek: Kek,
    account: UUID,
    promoted: set[UUID],
    taken: list[list[UUID]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "BATCH", 2)
    await vault.execute(BEGUN, account, UUID(int=0), MEMBERS, sorted(promoted, reverse=True)[::2])
    await asyncio.gather(*(reseal(vault, KeyRings(vault, kek), account, lambda: True) for _ in range(3)))
    assert Counter(member for members in taken for member in members) == Counter(promoted)
    assert max(len(members) for members in taken) <= MEMBERS // 2
    await assert_whole(vault, kek, account, promoted)
    assert (await progress_of(vault, account)).pass_ == 1


async def test_a_run_that_an_earlier_version_began_is_not_taken_at_once(
    vault: asyncpg.Pool, kek: Kek, account: UUID, promoted: set[UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 2)
    await vault.execute(BEGUN, account, UUID(int=0), MEMBERS, [])
    await reseal(vault, KeyRings(vault, kek), account, lambda: True)
    assert await vault.fetchval("SELECT cardinality(bounds) FROM reseal") == MEMBERS // 2
    await assert_whole(vault, kek, account, promoted)


async def test_of_workers_that_come_at_once_one_counts_the_members(
    vault: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
    kek: Kek,
    account: UUID,
    promoted: set[UUID],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Counter[str]()

    class Noted(dict[str, str]):
        def __getitem__(self, name: str) -> str:
            asked[name] += 1
            return super().__getitem__(name)

    async def all_wait() -> bool:
        return await vault.fetchval(WAITING) == len(workers)

    monkeypatch.setattr(run, "SQL", Noted(run.SQL))
    async with vault_owner.acquire() as owner, owner.transaction():
        await owner.execute("LOCK TABLE member")
        workers = [asyncio.create_task(reseal(vault, KeyRings(vault, kek), account, lambda: True)) for _ in range(3)]
        await eventually(all_wait)
    await asyncio.gather(*workers)
    assert asked["begin"] == 1
    await assert_whole(vault, kek, account, promoted)


async def test_a_worker_that_comes_when_all_is_done_leaves_the_record_of_it(
    vault: asyncpg.Pool, rings: KeyRings, account: UUID, promoted: set[UUID]
) -> None:
    await reseal(vault, rings, account, lambda: True)
    done = await progress_of(vault, account)
    await reseal(vault, rings, account, lambda: True)
    assert await progress_of(vault, account) == done


@pytest.mark.parametrize("beside", [True, False])
async def test_what_a_killed_worker_had_taken_is_done_by_another(
    vault: asyncpg.Pool, kek: Kek, dsns: Dsns, account: UUID, promoted: set[UUID], beside: bool
) -> None:
    command = (sys.executable, "-P", "-m", "tests.support.resealer", dsns.members, str(account), "1", KEK.hex())
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdin=DEVNULL, stdout=DEVNULL
    )
    try:

        async def under_way() -> bool:
            found = await load_progress(vault, account)
            return found is not None and found.done > 0

        await eventually(under_way)
        other = asyncio.create_task(reseal(vault, KeyRings(vault, kek), account, lambda: True)) if beside else None
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        if other is None:
            assert (await progress_of(vault, account)).state == "running"
            other = asyncio.create_task(reseal(vault, KeyRings(vault, kek), account, lambda: True))
        await other
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    await assert_whole(vault, kek, account, promoted)
