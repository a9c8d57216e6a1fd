import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from rich.console import Console

from core.clock import Clock, FixedClock
from core.ids import IdSource
from delivery.lease import Lease
from delivery.suspension import suspend_run
from deploy.top.glance import SPEED_SECONDS, SQL, Glance, Lately, look, rates
from deploy.top.picture import picture
from tests.support.operating import Arranged, arrange
from tests.support.postgres import shift_clock
from tests.support.runs import make_run
from tracking.spool import Extent

NO_SPOOL = Path("/nonexistent")


def drawn(
    glance: Glance, before: Glance | None = None, *, columns: int = 160, rows: int = 50, lately: Lately | None = None
) -> str:
    console = Console(width=columns, color_system=None)
    with console.capture() as captured:
        console.print(picture(glance, before, columns=columns, rows=rows, lately=lately))
    return captured.get()


async def test_an_idle_installation_shows_that_nobody_works(main: asyncpg.Pool, clock: Clock) -> None:
    shown = drawn(await look(main, clock, NO_SPOOL))
    assert "spool" not in shown
    assert "no run yet" in shown
    assert "no worker is alive" in shown
    assert "deferred" not in shown.splitlines()[-1]


def test_what_waits_in_the_spool_is_shown_with_its_age() -> None:
    glance = Glance(taken=0.0, spool=Extent(bytes=12_345, files=2, damaged=1, since=0.0), spool_seconds=150)
    assert "12 kB of events spooled (for 2 min, 1 files damaged)" in drawn(glance)


async def test_runs_workers_and_what_waits_are_shown_by_figures(
    main: asyncpg.Pool, clock: Clock, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, recipients=3)
    await main.execute("INSERT INTO lane (run_id, pool, state, weight) VALUES ($1, 'bulk', 'running', 7)", run.run_id)
    await main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, 'accepted', '', 2, 0)", run.run_id
    )
    await main.execute("UPDATE chunk SET not_before = app.now() + interval '1 hour' WHERE run_id = $1", run.run_id)
    await main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'unsubscribed', app.now())",
        run.account_id,
        run.members[0],
    )
    lease = Lease(main, clock, owner=new_id(), pool="bulk", slot=4, seconds=45, beat=10)
    async with lease.kept():
        glance = await look(main, clock, NO_SPOOL)
    [seen] = glance.runs
    assert (seen["state"], seen["accepted"], seen["retries"], seen["uncertain"]) == ("running", 2, 3, 0)
    shown = drawn(glance)
    assert "1 running" in shown
    assert "1 workers" in shown
    assert "3 retries waiting" in shown
    assert "1 stops to carry" in shown
    assert "2/3" in shown
    assert "bulk running x7" in shown
    assert "bulk 4" in shown
    assert str(run.members[0]) not in shown


@pytest.fixture
async def arranged(main: asyncpg.Pool, new_id: IdSource) -> Arranged:
    return await arrange(main, new_id)


def line(shown: str, start: str) -> list[str]:
    """The words of the first line that begins with `start`."""
    return next(one for one in shown.splitlines() if one.startswith(start)).split()


async def test_sites_are_shown_by_provider_or_number_with_what_is_used_allowed_and_waiting(
    main: asyncpg.Pool, clock: Clock, arranged: Arranged
) -> None:
    shown = drawn(await look(main, clock, NO_SPOOL), columns=80)
    assert line(shown, "google") == ["google", str(arranged.google), "2/3", "12/s", "40"]
    assert line(shown, "other") == ["other", str(arranged.other), "0/5", "7"]
    assert line(shown, "relay ") == ["relay", "0", "1/10", "0"]


async def test_connections_of_dead_workers_are_not_in_use(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, clock: Clock, arranged: Arranged
) -> None:
    await shift_clock(main_owner, 3_700)
    glance = await look(main, clock, NO_SPOOL)
    assert {site["used"] for site in glance.sites} == {0}
    assert {source["used"] for source in glance.sources} == {0}


async def test_a_source_is_shown_with_its_connections_its_speed_and_what_holds_it(
    main: asyncpg.Pool, clock: Clock, arranged: Arranged
) -> None:
    await main.execute(
        "INSERT INTO result (run_id, seq, try, outcome, source_id, at)"
        " SELECT $1, n, 1, CASE WHEN n > 45 THEN 'deferred' ELSE 'accepted' END::outcome, $2,"
        "        app.now() - CASE WHEN n > 30 AND n <= 45 THEN interval '1 minute' ELSE '0' END"
        " FROM generate_series(1, 47) AS n",
        *(arranged.run_id, arranged.relay),
    )
    await main.execute("INSERT INTO source_day VALUES ($1, (app.now() AT TIME ZONE 'UTC')::date, 1200)", arranged.mx1)
    shown = drawn(await look(main, clock, NO_SPOOL), columns=80)
    assert line(shown, "relay1") == ["relay1", "1", "3", "sending"]
    assert line(shown, "mx1") == ["mx1", "2", "0", "1,200", "suspended", "for", "60", "min"]


async def test_what_was_sent_of_late_is_found_by_the_index_of_time(main: asyncpg.Pool, arranged: Arranged) -> None:
    async with main.acquire() as connection, connection.transaction():
        await connection.execute(SQL["by_index"])
        plan = await connection.fetch("EXPLAIN " + SQL["sources"].replace("$1", str(SPEED_SECONDS)))
    text = "\n".join(row[0] for row in plan)
    assert re.search(r"Bitmap Index Scan on result_\d+_at_idx", text), text
    assert "Seq Scan on result" not in text


async def test_restrictions_are_shown_suspensions_first(main: asyncpg.Pool, clock: Clock, arranged: Arranged) -> None:
    shown = drawn(await look(main, clock, NO_SPOOL), columns=80)
    where = shown.index("restricted")
    assert "mx1" in shown[where:].splitlines()[1]
    assert "suspended for 60 min" in shown[where:].splitlines()[1]
    assert line(shown[where:], "google")[:6] == ["google", "slowed", "to", "1", "connection,", "0.5/s"]
    assert "rule too-many" in shown


async def test_a_suspended_campaign_says_for_how_long(main: asyncpg.Pool, clock: Clock, arranged: Arranged) -> None:
    await suspend_run(main, arranged.run_id, 3 * 3_600, "rule slow")
    assert "pausing 3 h" in drawn(await look(main, clock, NO_SPOOL), columns=80)


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (80, 40), (140, 24), (140, 60)])
async def test_it_fits_one_screen_however_much_there_is(
    main: asyncpg.Pool, clock: Clock, new_id: IdSource, arranged: Arranged, columns: int, rows: int
) -> None:
    for _ in range(20):
        await make_run(main, new_id, recipients=1, account_id=arranged.account_id)
    await main.execute(
        "WITH s AS (INSERT INTO site (digest) SELECT decode(md5(n::text), 'hex') FROM generate_series(1, 60) n"
        "           RETURNING site_id)"
        " INSERT INTO chunk (run_id, first_seq, last_seq, seqs, site_id) SELECT $1, 1, 1, '{1}', site_id FROM s",
        arranged.run_id,
    )
    glance = await look(main, clock, NO_SPOOL)
    shown = drawn(glance, columns=columns, rows=rows).splitlines()
    assert rows - 10 < len(shown) <= rows
    assert max(map(len, shown)) <= columns
    for head in ("campaign", "site", "source", "restricted", "worker", "deferred"):
        assert any(one.lstrip().startswith(head) or f" {head} " in one for one in shown), head
    assert any("more" in one for one in shown)


@pytest.mark.parametrize("columns", [80, 140])
async def test_a_long_name_is_cut_and_no_figure(
    main: asyncpg.Pool, clock: Clock, arranged: Arranged, columns: int
) -> None:
    await main.execute("UPDATE campaign SET name = repeat('十二月のお知らせ', 12)")
    await main.execute("UPDATE restriction SET reason = repeat('busy ', 30)")
    await main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, 'accepted', '', 1234567, 0)",
        arranged.run_id,
    )
    await main.execute("UPDATE run SET snapshot = 7654321")
    shown = drawn(await look(main, clock, NO_SPOOL), columns=columns)
    assert line(shown, "十二")[-4:] == ["1,234,567/7,654,321", "0", "0", "0"] or columns > 80
    assert "1,234,567/7,654,321" in shown
    assert "slowed to 1 connection, 0.5/s for 30 min" in shown
    console = Console(width=columns)
    assert all(console.measure(one).maximum <= columns for one in shown.splitlines())


def test_the_rate_is_what_was_accepted_between_two_glances() -> None:
    clock = FixedClock(datetime(2026, 12, 1, tzinfo=UTC))
    run: dict[str, Any] = {"run_id": 1, "accepted": 100}
    before = Glance(clock.monotonic(), [run])
    clock.advance(2.0)
    now = Glance(clock.monotonic(), [{**run, "accepted": 500}, {"run_id": 2, "accepted": 9}])
    assert rates(now, before) == {1: 200.0}
    assert rates(now, None) == {}


def deferred(seconds: float, *counts: tuple[int, str, int]) -> Glance:
    return Glance(seconds, deferrals={(UUID(int=run), reason): total for run, reason, total in counts})


def test_deferrals_are_those_of_the_last_five_minutes() -> None:
    lately = Lately()
    glances: Sequence[Glance] = (
        deferred(0, (1, "throttled", 100)),
        deferred(100, (1, "throttled", 400), (2, "greylisted", 1)),
        deferred(200, (1, "throttled", 400), (2, "greylisted", 20)),
        deferred(399, (2, "greylisted", 50)),
        deferred(401, (2, "greylisted", 50)),
    )
    seen = []
    for glance in glances:
        lately.add(glance)
        seen.append((lately.seconds, lately.by_reason()))
    assert seen[0] == (0.0, [])
    assert seen[1][1] == [("throttled", 300), ("greylisted", 1)]
    assert seen[2][1] == [("throttled", 300), ("greylisted", 20)]
    assert seen[4] == (301.0, [("greylisted", 49)])
    shown = drawn(glances[1], lately=None)
    assert "deferred so far: throttled 400 · greylisted 1" in shown
