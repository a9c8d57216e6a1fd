"""`todoku suspend` and `todoku resume` as an operator calls them, and what they leave in force."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from core import ids
from core.ids import IdSource
from deploy.accounts import create_account
from deploy.dsns import Dsns
from deploy.operating import restrictions
from deploy.operating.restrictions import Imposed
from members.kek import Kek
from tests.support.command_line import todoku
from tests.support.dns import dns_server
from tests.support.operating import Arranged, arrange
from tests.support.postgres import shift_clock


@pytest.fixture
async def arranged(main: asyncpg.Pool, new_id: IdSource) -> Arranged:
    made = await arrange(main, new_id)
    await main.execute("DELETE FROM restriction")
    return made


@pytest.fixture
def named(dsns: Dsns, tmp_path: Path) -> dict[str, Any]:
    return {"data_dir": tmp_path, "main_dsn": dsns.main, "members_dsn": dsns.members}


async def held(main: asyncpg.Pool) -> list[tuple[str, int | None, str, str]]:
    return [(one.where, one.connections, one.imposed_by, one.reason) for one in await restrictions.in_force(main)]


async def test_a_site_a_numbered_site_and_a_source_are_suspended_for_a_time_and_resumed(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, arranged: Arranged, named: dict[str, Any]
) -> None:
    number = f"site-{arranged.other}"
    for target, span in (("google", "2h"), (number, "15min"), ("mx1", "3d")):
        done = todoku("suspend", target, "--for", span, "--reason", "they asked", **named)
        assert done.returncode == 0, done.stderr
        assert f"todoku resume {target}" in done.stdout
    assert sorted(await held(main)) == [
        ("google", 0, "operator", "they asked"),
        ("mx1", 0, "operator", "they asked"),
        (number, 0, "operator", "they asked"),
    ]
    assert todoku("resume", "mx1", **named).stdout == "mx1: 1 restrictions lifted.\n"
    assert todoku("resume", "mx1", **named).stdout == "mx1 was not restricted.\n"
    await shift_clock(main_owner, 901)
    assert [one[0] for one in await held(main)] == ["google"]


async def test_an_operators_word_lifts_what_a_rule_has_imposed(
    main: asyncpg.Pool, arranged: Arranged, named: dict[str, Any]
) -> None:
    await main.execute(
        "INSERT INTO restriction (source_id, site_id, connections, ends_at, reason, imposed_by)"
        " VALUES ($1, $2, 0, app.now() + interval '1 hour', 'rule too-many', 'rule')",
        *(arranged.mx1, arranged.google),
    )
    [imposed] = await restrictions.in_force(main)
    assert isinstance(imposed, Imposed)
    assert (imposed.where, imposed.what, imposed.why) == ("mx1 to google", "suspended for 60 min", "rule too-many")
    assert todoku("resume", "google", **named).returncode == 0
    assert await held(main) == []


async def test_a_campaign_is_suspended_and_resumed(
    main: asyncpg.Pool, arranged: Arranged, named: dict[str, Any]
) -> None:
    campaign = ids.encode("cmp", arranged.run.campaign_id)
    assert todoku("suspend", campaign, "--for", "90s", "--reason", "wrong link", **named).returncode == 0
    row = await main.fetchrow("SELECT state, reason, resume_at > app.now() + interval '60 seconds' AS later FROM run")
    assert row is not None
    assert tuple(row) == ("pausing", "suspended by an operator: wrong link", True)
    assert todoku("resume", campaign, **named).returncode == 0
    assert await main.fetchval("SELECT state FROM run") == "running"
    await main.execute("UPDATE run SET state = 'finished'")
    for words in (("suspend", campaign, "--for", "90s"), ("resume", campaign)):
        refused = todoku(*words, **named)
        assert refused.returncode == 1
        assert "finished" in refused.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("google", "--for", "forever"), "90s, 15min, 2h or 3d"),
        (("google", "--for", "400d"), "a year at most"),
        (("google", "--for", "2h", "--reason", "ask taro@example.jp"), "without an address"),
        (("google", "--for", "2h", "--reason", "x" * 200), "up to 150"),
        (("yahoo.example@example.jp", "--for", "2h"), "no source, provider or site"),
        (("nobody", "--for", "2h"), "no source, provider or site"),
        (("site-999", "--for", "2h"), "no site of this number"),
        (("cmp_x", "--for", "2h"), "o such id"),
    ],
)
async def test_what_can_not_be_suspended_is_refused_in_a_line(
    main: asyncpg.Pool, arranged: Arranged, named: dict[str, Any], words: tuple[str, ...], said: str
) -> None:
    refused = todoku("suspend", *words, **named)
    assert refused.returncode == 1
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "taro@" not in refused.stderr
    assert await held(main) == []


async def test_a_provider_or_a_domain_that_is_new_is_suspended_before_the_first_mail(
    main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource, named: dict[str, Any], tmp_path: Path
) -> None:
    kek = Kek.load_or_create(tmp_path / "keys" / "kek")
    await create_account(main, vault, kek, new_id, "default")
    zone = {("example.jp", "MX"): ["10 mx.example.jp."], ("mx.example.jp", "A"): ["192.0.2.7"]}
    async with dns_server(zone) as server:
        settings = named | {"dns_servers": orjson.dumps([server.address]).decode()}

        async def run(*words: str) -> str:
            done = await asyncio.to_thread(todoku, *words, **settings)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert (await run("suspend", "docomo", "--for", "2h")).startswith("docomo is suspended")
        numbered = (await run("suspend", "example.jp", "--for", "2h")).split()[0]
        assert numbered.startswith("site-")
        assert (await run("suspend", "example.jp", "--for", "1h")).split()[0] == numbered
        assert await run("queue", "--site", "example.jp") != ""
        assert [one[0] for one in await held(main)] == [numbered, "docomo"]
        assert await run("resume", "example.jp") == f"{numbered}: 1 restrictions lifted.\n"
    assert await main.fetchval("SELECT count(*) FROM site WHERE provider = 'docomo'") == 1


async def test_without_the_key_file_a_domain_names_no_site(
    main: asyncpg.Pool, arranged: Arranged, named: dict[str, Any]
) -> None:
    refused = todoku("suspend", "docomo", "--for", "2h", **named)
    assert refused.returncode == 2
    assert "key file" in refused.stderr
