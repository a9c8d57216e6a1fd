"""Months whose time is over: raw rows go, reports stay as they were, old links still lead on and still stop mail."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY

from core.errors import Gone, NotFound
from core.ids import IdSource
from scheduler import chores
from scheduler.runs import RunStore
from tests.support.inbound import address, arf, dsn, inbound
from tests.support.postgres import shift_clock
from tests.support.runs import Run, make_run
from tests.support.tracker import tracker
from tracking import breakdown, feed
from tracking.breakdown import BreakdownStore
from tracking.feed import EventFeed
from tracking.machines import rules, settlement
from tracking.reports import ReportStore
from tracking.traits import TraitStore
from tracking.verify import verify

KEEP = 3
RAW = ("event", "intent", "result", "omission", "arrival", "cell")
DAY = 86_400


async def played(main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource) -> Run:
    """A run that is over: some accepted, one uncertain, opened and clicked, counted by trait too."""
    run = await make_run(main, new_id, recipients=4)
    await main.execute("INSERT INTO cell VALUES ($1, 1, '[\"paid\"]', '{1}')", run.run_id)
    await main.execute("INSERT INTO trait VALUES ($1, 1, 'attribute', 'plan', 'value', 'paid')", run.run_id)
    await main.execute("UPDATE recipient SET cell = 1 WHERE run_id = $1", run.run_id)
    await main.execute("INSERT INTO breakdown VALUES ($1, 'trait', 1, 'snapshot', '', 4, 0)", run.run_id)
    for seq, outcome in enumerate(("accepted", "accepted", "uncertain"), start=1):
        await main.execute(
            "INSERT INTO intent VALUES ($1, $2, 1, 1, $3, $4, app.now())", run.run_id, seq, run.chunk_id, new_id()
        )
        await main.execute(
            "INSERT INTO result (run_id, seq, try, outcome, at) VALUES ($1, $2, 1, $3, app.now())",
            run.run_id, seq, outcome,
        )  # fmt: skip
    await main.execute("INSERT INTO omission VALUES ($1, 4, 'unsubscribed', app.now())", run.run_id)
    await main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people)"
        " VALUES ($1, 'accepted', '', 2, 0), ($1, 'suppressed', 'unsubscribed', 1, 0)",
        run.run_id,
    )
    async with tracker(main_tracker) as web:
        for path in (run.open_path(1), run.open_path(1), run.open_path(2), run.click_path(1, 1)):
            await web.get(path)
    return run


async def counted(main: asyncpg.Pool) -> None:
    await settlement.settle(main, rules.load(), 0)
    for _ in range(2):
        await feed.advance(main)
    await breakdown.break_down(main)


async def over(main: asyncpg.Pool, run: Run) -> None:
    await main.execute("UPDATE run SET state = 'finished' WHERE run_id = $1", run.run_id)


async def all_reports(main: asyncpg.Pool, run: Run) -> list[object]:
    asked, parts = (run.account_id, run.campaign_id), BreakdownStore(main)
    period = datetime(2026, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
    report = await ReportStore(main).campaign(*asked)
    return [
        report.total,
        [one.figures for one in report.runs],
        await ReportStore(main).links(*asked),
        await ReportStore(main).versions(*asked),
        (await ReportStore(main).over(run.account_id, *period)).total,
        await parts.series(*asked, "day", hours=24 * 300),
        await parts.providers(*asked),
        await TraitStore(main).by_attribute(*asked, "plan"),
        (await RunStore(main).get(run.account_id, run.run_id)).counts,
    ]


async def left(main: asyncpg.Pool, run_id: UUID) -> dict[str, int]:
    return {table: await main.fetchval(f"SELECT count(*) FROM {table} WHERE run_id = $1", run_id) for table in RAW}


async def test_raw_rows_of_a_month_go_when_its_time_is_over_and_every_report_stays_as_it_was(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await played(main, main_tracker, new_id)
    open_run = await make_run(main, new_id)
    await over(main, run)
    await counted(main)
    before = await all_reports(main, run)
    [first, *_] = (await EventFeed(main).read(run.account_id)).events
    await shift_clock(main_owner, (KEEP + 1) * 31 * DAY)
    await chores.make_partitions(main)
    assert await chores.drop_months(main, KEEP) == 0
    assert (await verify(main, run.run_id))[0].counts["accepted"] == 2
    # Of a month with a run that is not over nothing goes.
    await shift_clock(main_owner, (KEEP + 12) * 31 * DAY)
    await chores.make_partitions(main)
    assert await chores.drop_months(main, KEEP) == 0
    await over(main, open_run)
    await chores.drop_months(main, KEEP)
    assert (await left(main, run.run_id))["event"] == 4
    # It is closed now, and goes when the next one is.
    async with tracker(main_tracker) as web:
        assert (await web.get(run.click_path(2, 0))).status_code == 302
        assert (await web.post(run.unsubscribe_path(1))).status_code == 200
    assert await main.fetchval("SELECT member_id FROM stop") == run.members[0]
    assert (await left(main, run.run_id))["event"] == 4
    await shift_clock(main_owner, (KEEP + 13) * 31 * DAY)
    await chores.make_partitions(main)
    # Not before all of it is counted.
    await main.execute("UPDATE breakdown_progress SET position = 0")
    assert await chores.drop_months(main, KEEP) == 0
    await main.execute("UPDATE breakdown_progress SET position = 4")
    assert await chores.drop_months(main, KEEP) >= 1
    assert set((await left(main, run.run_id)).values()) == {0}
    assert await all_reports(main, run) == before

    # What reads rows knows that they are gone; links of that mail still lead on, and nobody is counted anew.
    async with tracker(main_tracker) as web:
        assert (await web.get(run.open_path(1))).status_code == 200
        assert (await web.get(run.click_path(2, 0))).status_code == 302
        assert (await web.post(run.unsubscribe_path(2))).status_code == 200
    await counted(main)
    assert await all_reports(main, run) == before
    assert await main.fetchval("SELECT count(*) FROM stop") == 2
    assert run.run_id not in {check.run_id for check in await verify(main)}
    with pytest.raises(NotFound):
        await verify(main, run.run_id)
    with pytest.raises(Gone):
        await EventFeed(main).read(run.account_id, after=first.position)
    page = await EventFeed(main).read(run.account_id)
    assert (page.events, page.up_to_date) == ([], True)
    assert (await EventFeed(main).read(run.account_id, after=page.position)).up_to_date
    assert await main_owner.fetchval("SELECT count(*) FROM analysis.delivery WHERE run_id = $1", run.run_id) == 0


def told_gone() -> float:
    return REGISTRY.get_sample_value("todoku_inbound_mails_total", {"outcome": "gone"}) or 0.0


async def test_mail_that_comes_back_to_a_closed_month_still_stops_its_member_once_and_is_counted_nowhere(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, main_inbound: asyncpg.Pool, main_owner: asyncpg.Pool,
    new_id: IdSource, tmp_path: Path,
) -> None:  # fmt: skip
    run, unknown = await played(main, main_tracker, new_id), await make_run(main, new_id, recipients=1)
    for one in (run, unknown):
        await over(main, one)
    await counted(main)
    before, complaint = await all_reports(main, run), address(run, 2, "complaint")
    await main_owner.execute("DELETE FROM recipient WHERE run_id = $1", unknown.run_id)
    gone = told_gone()
    async with inbound(main_inbound, tmp_path) as there:
        for months, mails in (
            (KEEP + 2, [(address(run, 1), dsn()), (address(run, 1), dsn()), (complaint, arf("From: x@example.jp"))]),
            # Emptied too by then, what it has taken in before as well.
            (KEEP + 5, [(address(run, 1), dsn()), (address(run, 3), dsn()), (address(unknown, 1), dsn())]),
        ):
            await shift_clock(main_owner, months * 31 * DAY)
            await chores.make_partitions(main)
            await chores.drop_months(main, KEEP)
            assert [await there.deliver(*mail) for mail in mails] == [250] * 3
    await counted(main)
    assert await all_reports(main, run) == before
    assert (await left(main, run.run_id)) | {"arrival": 0} == dict.fromkeys(RAW, 0)
    found = await main.fetch("SELECT member_id, reason FROM stop")
    stopped = {run.members[0]: "bounced", run.members[1]: "complained", run.members[2]: "bounced"}
    assert {row["member_id"]: row["reason"] for row in found} == stopped
    assert len(found) == len(stopped)
    assert (there.kept.size, told_gone()) == (0, gone + 1)
