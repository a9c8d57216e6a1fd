"""The feed of raw events, and what analysts may read in SQL."""

from uuid import UUID

import asyncpg
import pytest

from core.ids import IdSource
from deploy.dsns import Dsns
from tests.integration.deploy.test_roles_in_databases import NOTHING, rights
from tests.support.postgres import Server
from tests.support.runs import Run, make_run
from tracking import feed
from tracking.feed import EventFeed

ADD = "INSERT INTO event (run_id, seq, kind, occurred_at) VALUES ($1, $2, 'open', app.now())"


async def advanced(main: asyncpg.Pool) -> None:
    for _ in range(2):
        await feed.advance(main)


async def seqs(main: asyncpg.Pool, run: Run, **asked: int) -> list[int]:
    """Whom the feed names, by their sequence number, page by page from the beginning."""
    found: list[int] = []
    after, done = 0, False
    while not done:
        page = await EventFeed(main).read(run.account_id, after=after, **asked)  # type: ignore[arg-type]
        found += [run.members.index(event.member_id) + 1 for event in page.events]
        after, done = page.position, page.up_to_date
    return found


async def test_events_are_followed_in_the_order_of_their_storing_page_by_page(
    main: asyncpg.Pool, new_id: IdSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "LEAST_WINDOW", 2)
    run, other = await make_run(main, new_id, recipients=9), await make_run(main, new_id, recipients=9)
    test = await make_run(main, new_id, kind="test", account_id=run.account_id, campaign_id=run.campaign_id)
    for seq in (3, 1, 2, 9, 5):
        for of in (other.run_id, run.run_id, other.run_id):
            await main.execute(ADD, of, seq)
    await main.execute(ADD, test.run_id, 1)
    assert await seqs(main, run) == []
    await advanced(main)
    assert await seqs(main, run) == await seqs(main, run, limit=2) == [3, 1, 2, 9, 5]


async def test_one_that_is_committed_late_is_neither_missed_nor_overtaken(main: asyncpg.Pool, new_id: IdSource) -> None:
    run = await make_run(main, new_id, recipients=3)
    async with main.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await slow.execute(ADD, run.run_id, 1)
        await main.execute(ADD, run.run_id, 2)
        for _ in range(3):
            await advanced(main)
        # The second is stored for good, and shown only with the first, which holds a place before it.
        assert await seqs(main, run) == []
        await transaction.commit()
    await advanced(main)
    assert await seqs(main, run) == [1, 2]


async def test_a_feed_that_was_restored_on_another_server_goes_on(main: asyncpg.Pool, new_id: IdSource) -> None:
    run = await make_run(main, new_id)
    await main.execute("UPDATE event_feed SET marked_before = '9000000000'")
    await main.execute(ADD, run.run_id, 1)
    await advanced(main)
    assert await seqs(main, run) == [1]


async def test_an_idle_feed_writes_nothing(main: asyncpg.Pool, new_id: IdSource) -> None:
    run = await make_run(main, new_id)
    await main.execute(ADD, run.run_id, 1)
    await advanced(main)
    before = await main.fetchval("SELECT xmin::text FROM event_feed")
    await advanced(main)
    assert await main.fetchval("SELECT xmin::text FROM event_feed") == before


async def test_an_analyst_reads_the_views_and_nothing_else(
    dsns: Dsns, postgres_server: Server, main_owner: asyncpg.Pool
) -> None:
    name = dsns.main_owner.rpartition("/")[2].partition("?")[0]
    analyst = await asyncpg.connect(postgres_server.postgres.superuser_dsn, database=name, timeout=10)
    try:
        await analyst.execute("SET ROLE todoku_analyst")
        for row in await main_owner.fetch(
            "SELECT format('%I.%I', n.nspname, c.relname) AS name, array_agg(quote_ident(a.attname)) AS columns"
            " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid"
            " WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname IN ('public', 'app', 'analysis')"
            " AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1"
        ):
            right = "select" if row["name"].startswith("analysis.") else NOTHING
            assert await rights(analyst, row["name"], row["columns"]) == right, row["name"]
    finally:
        await analyst.close()


async def test_the_views_agree_with_what_they_show(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, recipients=5)
    outcomes = [(1, 1, "deferred", "greylisted"), (1, 2, "accepted", "accepted"), (2, 1, "failed", "no_such_user"),
                (3, 1, "released", None), (4, 1, "deferred", "throttled")]  # fmt: skip
    await main.executemany(
        "INSERT INTO result (run_id, seq, try, outcome, reason, at) VALUES ($1, $2, $3, $4, $5, app.now())",
        [(run.run_id, *outcome) for outcome in outcomes],
    )
    await main.execute("INSERT INTO omission (run_id, seq, reason, at) VALUES ($1, 4, 'erased', app.now())", run.run_id)
    await main.execute(ADD, run.run_id, 1)
    rows = await main_owner.fetch("SELECT seq, member_id, state, reason FROM analysis.delivery ORDER BY seq")
    expected = [
        (1, "accepted", "accepted"),
        (2, "failed", "no_such_user"),
        (3, "open", None),
        (4, "suppressed", "erased"),
        (5, "open", None),
    ]
    assert [tuple(row) for row in rows] == [
        (seq, UUID(int=run.members[seq - 1].int), state, reason) for seq, state, reason in expected
    ]
    assert await main_owner.fetchval("SELECT member_id FROM analysis.event") == run.members[0]
    assert await main_owner.fetchval("SELECT count(*) FROM analysis.link") == 3
    for view in ("campaign", "run", "tally"):
        await main_owner.fetch(f"SELECT * FROM analysis.{view}")
