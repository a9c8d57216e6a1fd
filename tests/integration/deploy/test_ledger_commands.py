"""`todoku verify --consent` and `todoku suppressions`, as an operator runs them."""

import subprocess
import sys
from functools import partial
from pathlib import Path
from uuid import UUID

import asyncpg
import orjson
import pytest

from core import ids
from core.clock import Clock
from core.ids import IdSource
from deploy.accounts import create_account
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from tests.support.command_line import environment, todoku


@pytest.fixture
async def account(main: asyncpg.Pool, vault: asyncpg.Pool, kek: Kek, new_id: IdSource) -> UUID:
    return (await create_account(main, vault, kek, new_id, "default")).account_id


async def member(vault: asyncpg.Pool, kek: Kek, account: UUID, new_id: IdSource, clock: Clock) -> UUID:
    store = MemberStore(vault, KeyRings(vault, kek), new_id)
    return (await store.create(account, "taro@example.jp", consent=Consent("form", clock.now()))).member_id


async def test_verify_prints_heads_finds_what_was_altered_and_misses_what_was_noted(
    settings: dict[str, object],
    vault: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
    kek: Kek,
    account: UUID,
    new_id: IdSource,
    clock: Clock,
) -> None:
    await member(vault, kek, account, new_id, clock)
    done = todoku("verify", "--consent", **settings)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "The ledger is as it was written.")
    head = done.stdout.split()[0]
    assert head.startswith(ids.encode("acc", account) + "=1:")
    assert todoku("verify", "--consent", "--expect", head, **settings).returncode == 0
    other = head[:-1] + ("0" if head[-1] != "0" else "1")
    missed = todoku("verify", "--consent", "--expect", other, **settings)
    assert (missed.returncode, "link 1: the link is not the one that was noted" in missed.stdout) == (1, True)
    await vault_owner.execute("UPDATE consent SET source = 'another'")
    altered = todoku("verify", "--consent", "--json", **settings)
    found, told = [orjson.loads(line) for line in altered.stdout.splitlines()]
    assert (altered.returncode, told, found["account"]) == (1, {"ok": False}, ids.encode("acc", account))
    assert [breach["no"] for breach in found["breaches"]] == [1]
    for words in (("--expect", head), ("--consent", "--expect", "acc_x=1"), ("--consent", "--members")):
        assert todoku("verify", *words, **settings).returncode in {1, 2}


def suppressions(settings: dict[str, object], *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run `todoku suppressions` with this on its standard input."""
    command = [sys.executable, "-m", "deploy.cli", "suppressions", *words]
    return subprocess.run(
        command, env=environment(settings), input=typed, capture_output=True, text=True, timeout=60, check=False
    )


async def test_addresses_on_standard_input_are_suppressed_everywhere_and_what_runs_stops(
    settings: dict[str, object],
    main: asyncpg.Pool,
    vault: asyncpg.Pool,
    kek: Kek,
    account: UUID,
    new_id: IdSource,
    clock: Clock,
) -> None:
    member_id = await member(vault, kek, account, new_id, clock)
    run = partial(suppressions, settings)
    done = run("add", "--reason", "complained", typed="taro@example.jp\n\nnobody@example.jp\n")
    assert done.stdout.strip() == "2 addresses are suppressed; 1 members have one of them."
    row = await main.fetchrow("SELECT member_id, reason FROM stop")
    assert row is not None
    assert tuple(row) == (member_id, "complained")
    assert "complained" in run("list").stdout
    bad = run("add", typed="secret.name\n")
    assert (bad.returncode, "secret" in bad.stdout + bad.stderr) == (1, False)
    assert run("add", "--reason", "because", typed="").returncode == 2
    lifted = run("remove", typed="taro@example.jp\nother@example.jp\n")
    assert lifted.stdout.startswith("1 of 2 addresses")


@pytest.mark.usefixtures("account")
async def test_addresses_are_suppressed_wherever_the_kek_is_kept(settings: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "keys" / "kek"
    elsewhere = settings | {"kek": file.read_text()}
    file.unlink()
    assert suppressions(settings, "add", typed="taro@example.jp\n").returncode != 0
    assert suppressions(elsewhere, "add", typed="taro@example.jp\n").returncode == 0
    assert "manual" in suppressions(elsewhere, "list").stdout
