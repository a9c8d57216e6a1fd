"""`todoku verify --members`, `backup` and `restore` as an operator runs them."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from pathlib import Path
from subprocess import CompletedProcess
from uuid import UUID

import asyncpg
import pytest

from core import ids
from core.ids import IdSource
from deploy.dsns import Dsns
from members.accounts import open_account
from members.kek import Kek
from members.keyring import KeyRings
from members.members import MemberStore
from tests.support.command_line import todoku
from tests.support.postgres import Server, fresh_databases

Run = Callable[..., CompletedProcess[str]]


def settings(dsns: Dsns, directory: Path) -> dict[str, object]:
    return {"data_dir": directory, **{f"{name}_dsn": dsn for name, dsn in asdict(dsns).items()}}


@pytest.fixture
async def member(vault: asyncpg.Pool, new_id: IdSource, tmp_path: Path) -> tuple[UUID, UUID]:
    """A member of an account whose keys the installation in `tmp_path` opens."""
    kek, account_id = Kek.load_or_create(tmp_path / "keys" / "kek"), new_id()
    await open_account(vault, kek, account_id, new_id)
    store = MemberStore(vault, KeyRings(vault, kek), new_id)
    return account_id, (await store.create(account_id, "taro@example.jp")).member_id


@pytest.fixture
async def empty(postgres_server: Server) -> AsyncIterator[Dsns]:
    async with fresh_databases(postgres_server, empty=True) as made:
        yield made


async def test_verify_members_ends_with_0_where_all_open_and_with_1_naming_who_does_not(
    dsns: Dsns, vault_owner: asyncpg.Pool, member: tuple[UUID, UUID], tmp_path: Path
) -> None:
    run = settings(dsns, tmp_path)
    whole = await asyncio.to_thread(todoku, "verify", "--members", **run)
    assert (whole.returncode, whole.stdout) == (0, "1 members: all open in place\n")
    await vault_owner.execute("UPDATE member SET sealed = set_byte(sealed, 30, 255 - get_byte(sealed, 30))")
    broken = await asyncio.to_thread(todoku, "verify", "--members", "--json", **run)
    assert broken.returncode == 1
    finding, summary = map(json.loads, broken.stdout.splitlines())
    assert (finding["account"], finding["member"]) == (ids.encode("acc", member[0]), ids.encode("mem", member[1]))
    assert finding["fault"] == "profile_unreadable"
    assert summary == {"ok": False, "members": 1, "faults": {"profile_unreadable": 1}}
    both = await asyncio.to_thread(todoku, "verify", "run_1", "--members", **run)
    assert both.returncode == 2


async def test_a_backup_is_restored_by_the_two_commands_alone(
    dsns: Dsns, empty: Dsns, member: tuple[UUID, UUID], tmp_path: Path
) -> None:
    made = await asyncio.to_thread(
        todoku, "backup", str(tmp_path / "a"), "--keys-dir", str(tmp_path / "b"), "--keep-keys", "0.5",
        **settings(dsns, tmp_path),
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    databases, keys = (line.partition(": ")[2] for line in made.stdout.splitlines())
    done = await asyncio.to_thread(todoku, "restore", databases, keys, **settings(empty, tmp_path))
    assert done.returncode == 0, done.stderr
    assert "0 runs are paused" in done.stdout
    again = await asyncio.to_thread(todoku, "verify", "--members", **settings(empty, tmp_path))
    assert (again.returncode, again.stdout) == (0, "1 members: all open in place\n")
    once_more = await asyncio.to_thread(todoku, "restore", databases, keys, **settings(empty, tmp_path))
    assert once_more.returncode == 2
    assert "empty" in once_more.stderr


@pytest.mark.parametrize("keys_dir", [".", "keys", ".."])
def test_keys_are_not_backed_up_beside_what_they_open(tmp_path: Path, keys_dir: str) -> None:
    place = tmp_path / "backups" / keys_dir
    done = todoku("backup", str(tmp_path / "backups"), "--keys-dir", str(place), data_dir=tmp_path)
    assert done.returncode == 2
    assert "apart" in done.stderr
