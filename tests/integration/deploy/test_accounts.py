"""`todoku accounts set` as an operator calls it."""

from pathlib import Path
from typing import Any

import asyncpg
import pytest

from core.clock import SystemClock
from core.ids import IdSource
from deploy.dsns import Dsns
from scheduler.accounts import AccountFields, AccountStore
from tests.support.command_line import todoku


@pytest.fixture
async def named(dsns: Dsns, main: asyncpg.Pool, new_id: IdSource, tmp_path: Path) -> dict[str, Any]:
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'ACME')", new_id())
    return {"data_dir": tmp_path, "main_dsn": dsns.main}


async def fields(main: asyncpg.Pool) -> AccountFields:
    store = AccountStore(main, IdSource(SystemClock()))
    return (await store.get(await main.fetchval("SELECT account_id FROM account"))).fields


async def test_what_is_said_is_set_and_the_rest_stays(main: asyncpg.Pool, named: dict[str, Any]) -> None:
    done = todoku("accounts", "set", "ACME", "--auto-stop-share", "0.05", "--auto-stop-after", "1000", **named)
    assert done.returncode == 0, done.stderr
    assert "past 5 % of hard bounces or 0.3 % of complaints, after 1,000 results" in done.stdout
    assert await fields(main) == AccountFields(auto_stop=True, auto_stop_share=0.05, auto_stop_after=1_000)
    assert "past 5 % of hard bounces" in todoku("accounts", "list", **named).stdout
    assert "never" in todoku("accounts", "set", "ACME", "--no-auto-stop", **named).stdout
    assert await fields(main) == AccountFields(auto_stop=False, auto_stop_share=0.05, auto_stop_after=1_000)
    assert todoku("accounts", "set", "ACME", "--auto-stop", **named).returncode == 0
    assert (await fields(main)).auto_stop
    noted = [(row["actor"], row["detail"]) for row in await main.fetch("SELECT * FROM audit ORDER BY audit_id")]
    assert noted == [
        ("operator", {"auto_stop_share": [0.1, 0.05], "auto_stop_after": [500, 1_000]}),
        ("operator", {"auto_stop": [True, False]}),
        ("operator", {"auto_stop": [False, True]}),
    ]


async def test_what_can_not_be_set_is_refused(main: asyncpg.Pool, named: dict[str, Any]) -> None:
    for words, said in (
        (("ACME", "--auto-stop-share", "10"), "at most 1"),
        (("ACME", "--auto-stop-share", "nan"), "at most 1"),
        (("ACME", "--auto-stop-after", "0"), "from 1"),
        (("Nobody", "--no-auto-stop"), "no account of this name"),
    ):
        refused = todoku("accounts", "set", *words, **named)
        assert refused.returncode == 1
        assert said in refused.stderr
    assert (await fields(main)).auto_stop_share == 0.1
