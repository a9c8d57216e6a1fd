"""`todoku verify --members` as an operator runs it."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
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


def settings(dsns: Dsns, directory: Path) -> dict[str, object]:
    return {"data_dir": directory, **{f"{name}_dsn": dsn for name, dsn in asdict(dsns).items()}}


@pytest.fixture
async def member(vault: asyncpg.Pool, new_id: IdSource, tmp_path: Path) -> tuple[UUID, UUID]:
    """A member of an account whose keys the installation in `tmp_path` opens."""
    kek, account_id = Kek.load_or_create(tmp_path / "keys" / "kek"), new_id()
    await open_account(vault, kek, account_id, new_id)
    store = MemberStore(vault, KeyRings(vault, kek), new_id)
    return account_id, (await store.create(account_id, "taro@example.jp")).member_id


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
