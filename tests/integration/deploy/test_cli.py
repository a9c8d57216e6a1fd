import socket
from pathlib import Path

import asyncpg
import pytest

from core.ids import IdSource
from deploy.accounts import create_account
from deploy.dsns import Dsns
from deploy.keys import load_or_create_webhook_keys
from members.kek import Kek
from tests.support.command_line import todoku


@pytest.fixture
def named(settings: dict[str, object], kek: Kek, dsns: Dsns, tmp_path: Path) -> dict[str, object]:
    assert kek.fingerprint
    load_or_create_webhook_keys(tmp_path / "keys" / "webhooks")
    return settings | {"main_owner_dsn": dsns.main_owner, "members_owner_dsn": dsns.members_owner}


def test_help_names_every_command() -> None:
    done = todoku("--help")
    assert done.returncode == 0
    processes = ("api", "tracker", "pages", "inbound", "scheduler", "worker", "mailbox")
    for command in ("up", "migrate", "accounts", "api-keys", *processes):
        assert f"│ {command} " in done.stdout


def test_a_wrong_setting_stops_the_start_with_its_name_and_without_a_traceback(tmp_path: Path) -> None:
    done = todoku("api", data_dir=tmp_path, api_port="eighty")
    assert done.returncode == 2
    assert "api_port" in done.stderr
    assert "eighty" not in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    done = todoku("migrate", data_dir=tmp_path, wrokers=3)
    assert done.returncode == 2
    assert "TODOKU_WROKERS" in done.stderr


def test_a_command_without_a_running_server_says_what_to_start(tmp_path: Path) -> None:
    done = todoku("api-keys", "list", data_dir=tmp_path)
    assert done.returncode == 2
    assert "todoku up" in done.stderr


def test_a_server_that_is_away_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    done = todoku("accounts", "list", data_dir=tmp_path, main_dsn=f"postgresql://x:secret@127.0.0.1:{port}/x")
    assert done.returncode == 2
    assert "can't be reached" in done.stderr
    assert "secret" not in done.stderr


def test_migrating_again_changes_nothing(named: dict[str, object]) -> None:
    done = todoku("migrate", **named)
    assert (done.returncode, done.stdout.count("nothing to do")) == (0, 2)


async def test_an_api_key_is_shown_once_stored_as_a_digest_and_can_be_revoked(
    named: dict[str, object], main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    await create_account(main, vault, Kek.load(tmp_path / "keys" / "kek"), new_id, "default")
    made = todoku("api-keys", "create", "shop", "--scope", "reports:read", **named)
    token = made.stdout.strip()
    assert token.startswith("tdk_")
    assert "only now" in made.stderr
    row = await main.fetchrow("SELECT digest::text, scopes FROM api_key")
    assert row
    assert token not in row["digest"]
    assert row["scopes"] == ["reports:read"]

    listed = todoku("api-keys", "list", **named).stdout
    assert "shop" in listed
    assert token not in listed
    key_id = next(word for word in listed.split() if word.startswith("key_"))
    assert todoku("api-keys", "revoke", key_id, **named).returncode == 0
    assert await main.fetchval("SELECT revoked_at IS NOT NULL FROM api_key")


async def test_an_unknown_scope_or_account_is_refused(
    named: dict[str, object], main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    await create_account(main, vault, Kek.load(tmp_path / "keys" / "kek"), new_id, "default")
    refused = todoku("api-keys", "create", "shop", "--scope", "everything", **named)
    assert refused.returncode == 1
    assert "reports:read" in refused.stderr
    assert todoku("api-keys", "create", "shop", "--account", "nobody", **named).returncode == 1
    assert await main.fetchval("SELECT count(*) FROM api_key") == 0


async def test_an_account_comes_with_its_keys_and_its_name_attribute(
    named: dict[str, object], main: asyncpg.Pool, vault: asyncpg.Pool
) -> None:
    for said in ("was made", "is there already"):
        done = todoku("accounts", "create", "ACME", **named)
        assert done.returncode == 0
        assert said in done.stdout
    assert "ACME" in todoku("accounts", "list", **named).stdout
    assert await main.fetchval("SELECT count(*) FROM account") == 1
    assert await vault.fetchval("SELECT count(*) FROM keys.ring") == 3
    assert await vault.fetchval("SELECT name FROM attribute") == "name"


def test_a_taken_port_is_named(named: dict[str, object]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = todoku("api", **named | {"api_port": taken.getsockname()[1]})
    assert done.returncode == 2
    assert "TODOKU_API_PORT" in done.stderr
