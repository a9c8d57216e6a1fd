"""`todoku keys`, as an operator calls it beside a running worker."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.ids import IdSource
from deploy.accounts import create_account
from members.imports import ImportStore, run_import
from members.kek import Kek
from members.keyring import KeyRings
from members.members import MemberStore
from members.resealing import load_progress
from members.rotation import Rotation
from scheduler import chores
from scheduler.resealing import ResealJobs
from tests.support.command_line import started, todoku
from tests.support.waiting import eventually


@pytest.fixture
def settings(settings: dict[str, object]) -> dict[str, object]:
    return settings | {"key_beat": 0.1}


@pytest.fixture
async def account(main: asyncpg.Pool, vault: asyncpg.Pool, kek: Kek, new_id: IdSource) -> UUID:
    return (await create_account(main, vault, kek, new_id, "default")).account_id


@contextmanager
def jobs_worker(settings: dict[str, object]) -> Iterator["subprocess.Popen[str]"]:
    worker = started("worker", "--pool", "jobs", **settings)
    try:
        assert worker.stdout is not None
        assert worker.stdout.readline().startswith("ready")
        yield worker
    finally:
        worker.kill()
        worker.communicate()


async def test_keys_are_exchanged_step_by_step_and_each_step_says_what_is_next(
    settings: dict[str, object], account: UUID, vault: asyncpg.Pool, kek: Kek, new_id: IdSource
) -> None:
    made = await MemberStore(vault, KeyRings(vault, kek), new_id).create(account, "taro@example.jp")
    refused = todoku("keys", "promote", "--wait", "0", **settings)
    assert (refused.returncode, "add one first" in refused.stderr) == (1, True)
    with jobs_worker(settings):
        for words, said in (
            (("add",), "the index version 2 was added"),
            (("promote",), "the index version 2 is primary"),
            (("reseal",), "resealed, 1 members"),
            (("reseal", "--status"), "resealed, 1 members"),
            (("retire",), "destroyed: index version 1"),
        ):
            done = todoku("keys", *words, **settings)
            assert (done.returncode, said in done.stdout) == (0, True), done
    listed = todoku("keys", "list", "--all", **settings).stdout
    assert [listed.count(state) for state in ("retired", "primary", "open")] == [2, 2, 0]
    assert await MemberStore(vault, KeyRings(vault, kek), new_id).by_address(account, "taro@example.jp") == made


async def test_a_refusal_names_what_is_behind(
    settings: dict[str, object], account: UUID, vault: asyncpg.Pool, kek: Kek, new_id: IdSource
) -> None:
    await MemberStore(vault, KeyRings(vault, kek), new_id).create(account, "taro@example.jp")
    assert todoku("keys", "add", "--purpose", "seal", **settings).returncode == 0
    await vault.execute(
        "INSERT INTO keys.holder (holder, kind, epoch, alive_until) "
        "VALUES ($1, 'api', 1, app.now() + interval '1 hour')",
        new_id(),
    )
    refused = todoku("keys", "promote", "--purpose", "seal", "--wait", "0.1", **settings)
    assert refused.returncode == 1
    assert "1 api" in refused.stderr
    assert "1 api" in todoku("keys", "list", **settings).stdout
    await vault.execute("DELETE FROM keys.holder")
    assert todoku("keys", "promote", "--purpose", "seal", **settings).returncode == 0
    refused = todoku("keys", "retire", "--purpose", "seal", **settings)
    assert refused.returncode == 1
    assert "1 members" in refused.stderr


async def test_a_worker_killed_in_mid_pass_loses_nothing_and_the_next_goes_on(
    settings: dict[str, object],
    account: UUID,
    main: asyncpg.Pool,
    vault: asyncpg.Pool,
    kek: Kek,
    new_id: IdSource,
    clock: Clock,
) -> None:
    rings, number = KeyRings(vault, kek), 9_000
    imports = ImportStore(vault, rings, new_id)
    import_id = await imports.begin(account)
    file = "email\n" + "".join(f"m{n}@example.jp\n" for n in range(number))
    await imports.add_block(account, import_id, 0, file.encode())
    await imports.submit(account, import_id, {}, "form")
    await run_import(vault, rings, import_id, new_id, clock, lambda: True)
    rotation = Rotation(vault, kek, os.urandom)
    await rotation.add(account, "seal")
    await rotation.promote(account, "seal")

    async def done() -> int:
        progress = await load_progress(vault, account)
        return progress.done if progress else 0

    async def over() -> bool:
        progress = await load_progress(vault, account)
        return progress is not None and progress.state == "done"

    async with vault.acquire() as holding:
        transaction = holding.transaction()
        await transaction.start()
        # While one member is held the run can't end, so that it is surely killed in its midst.
        await holding.execute("SELECT FROM member ORDER BY member_id DESC LIMIT 1 FOR UPDATE")
        await ResealJobs(main, new_id).ask(account)
        with jobs_worker(settings):
            await eventually(done)
        at = await done()
        assert 0 < at < number
        await transaction.rollback()
    await main.execute("UPDATE worker SET reaped_at = app.now()")
    assert await chores.release_jobs(main) == 1
    with jobs_worker(settings):
        await eventually(over)
    progress = await load_progress(vault, account)
    assert progress is not None
    assert (progress.done, progress.unreadable) == (number, 0)
    assert await rotation.retire(account, "seal") == [1]
    assert await rotation.members_under(account, "seal") == {2: number}
    found = await MemberStore(vault, KeyRings(vault, kek), new_id).by_address(account, "m8999@example.jp")
    assert found.address == "m8999@example.jp"
