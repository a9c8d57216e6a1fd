"""Counters by minute and by provider: written with what they count, exact whatever is folded or relabelled."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from core.errors import InvalidInput, NotFound
from core.ids import IdSource
from tests.support.postgres import shift_clock
from tests.support.runs import Run, make_run
from tests.support.tracker import tracker
from tests.support.waiting import eventually
from tracking import breakdown, feed
from tracking.breakdown import Breakdown, BreakdownStore
from tracking.machines import rules, settlement
from tracking.verify import verify

START = datetime(2026, 4, 1, 9, tzinfo=UTC)
"""When the runs of tests/support/runs.py start."""
ADD = "INSERT INTO event (run_id, seq, kind, link, occurred_at, label) VALUES ($1, $2, $3, $4, $5, $6)"


async def add(main: asyncpg.Pool, run: Run, seq: int, kind: str, after: timedelta, label: str = "human") -> None:
    await main.execute(ADD, run.run_id, seq, kind, 0 if kind == "click" else -1, START + after, label)


async def broken_down(main: asyncpg.Pool) -> None:
    """Have housekeeping count what is there."""
    for _ in range(2):
        await feed.advance(main)
    await breakdown.break_down(main)


async def laws_broken(main: asyncpg.Pool, run: Run) -> set[str]:
    """Of the laws on what came back; what was sent is not played here."""
    [check] = await verify(main, run.run_id)
    return {fault.law for fault in check.faults} & {"breakdowns_add_up", "counters_equal_recounts"}


async def test_what_the_tracker_takes_in_adds_up_by_minute_and_by_provider_before_and_after_folding(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, recipients=6, state="finished")
    site = await main.fetchval(
        "INSERT INTO site (digest, provider) VALUES (decode(repeat('01', 16), 'hex'), 'gmail') RETURNING site_id"
    )
    await main.execute("INSERT INTO destination (tag, site_id, resolved_at) VALUES (7, $1, app.now())", site)
    await main.execute("UPDATE recipient SET tag = 7 WHERE seq <= 3")
    robot = {"User-Agent": "Mozilla/5.0 (compatible; Barracuda Sentinel)"}
    async with tracker(main_tracker) as web:
        for seq in (1, 1, 2, 5):
            await web.get(run.open_path(seq))
        await web.get(run.click_path(1, 2), headers=robot)
        await web.post(run.unsubscribe_path(4))
    await broken_down(main)
    store = BreakdownStore(main)
    expected = {
        "gmail": Breakdown(opens=3, unique_opens=2, human_opens=3, clicks=1, unique_clicks=1, machine_clicks=1),
        "other": Breakdown(opens=1, unique_opens=1, human_opens=1, unsubscribes=1),
    }
    for _ in range(2):
        found = await store.providers(run.account_id, run.campaign_id)
        assert {one.provider: one.counts for one in found} == expected
        assert await laws_broken(main, run) == set()
        while await breakdown.fold(main, 2):
            pass
    await shift_clock(main_owner, 3_600)
    await settlement.settle(main, rules.load(), 900)
    assert await laws_broken(main, run) == set()


async def test_results_are_broken_down_and_a_late_truth_counts_when_it_comes(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, recipients=4)
    await main.executemany(
        "INSERT INTO result (run_id, seq, try, outcome, reason, at) VALUES ($1, $2, 1, $3, $4, $5)",
        [
            (run.run_id, 1, "accepted", "accepted", START),
            (run.run_id, 2, "deferred", "greylisted", START + timedelta(minutes=1)),
            (run.run_id, 3, "failed", "spam", START + timedelta(minutes=1)),
            (run.run_id, 4, "uncertain", None, START),
        ],
    )
    await main.execute("UPDATE result SET outcome = 'accepted', at = $1 WHERE seq = 4", START + timedelta(minutes=2))
    series = await BreakdownStore(main).series(run.account_id, run.campaign_id, "minute", hours=1)
    assert [(span.at, span.counts) for span in series.spans] == [
        (START, Breakdown(accepted=1)),
        (START + timedelta(minutes=1), Breakdown(deferred=1, failed=1)),
        (START + timedelta(minutes=2), Breakdown(accepted=1)),
    ]
    [other] = await BreakdownStore(main).providers(run.account_id, run.campaign_id)
    assert (other.deferred_by_reason, other.failed_by_reason) == ({"greylisted": 1}, {"spam": 1})


async def test_a_series_knows_the_hours_and_days_of_a_zone_and_what_is_older_than_two_days(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, recipients=9)
    for seq, after in enumerate(
        (timedelta(minutes=1), timedelta(minutes=20), timedelta(hours=10), timedelta(days=3, minutes=7)), start=1
    ):
        await add(main, run, seq, "open", after)
    await broken_down(main)
    store = BreakdownStore(main)
    for _ in range(2):
        # Kathmandu is 5:45 ahead of UTC: 9:00 there is 14:45, and midnight comes 9 h 15 min later.
        hours = await store.series(run.account_id, run.campaign_id, "hour", hours=100, time_zone="Asia/Kathmandu")
        assert [(f"{span.at:%d %H:%M}", span.counts.opens) for span in hours.spans] == [
            ("01 14:00", 1), ("01 15:00", 1), ("02 00:00", 1), ("04 14:00", 1)
        ]  # fmt: skip
        days = await store.series(run.account_id, run.campaign_id, "day", hours=100, time_zone="Asia/Kathmandu")
        assert [(f"{span.at:%d}", span.counts.opens) for span in days.spans] == [("01", 2), ("02", 1), ("04", 1)]
        first = await store.series(run.account_id, run.campaign_id, "hour", hours=1)
        assert ([span.counts.opens for span in first.spans], first.time_zone) == ([2], "UTC")
        await breakdown.fold(main)
    kept = await main.fetch("SELECT value % 15 AS rest FROM breakdown WHERE dimension = 'minute' ORDER BY value")
    assert [row["rest"] for row in kept][-1] == 0
    with pytest.raises(InvalidInput):
        await store.series(run.account_id, run.campaign_id, "minute", hours=49)


async def test_a_label_that_turns_out_otherwise_moves_its_event_whether_it_is_counted_already_or_not(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    await add(main, run, 1, "open", timedelta(0))
    await broken_down(main)
    await add(main, run, 2, "click", timedelta(0), "machine")
    await main.execute("UPDATE event SET label = CASE label WHEN 'human' THEN 'machine' ELSE 'human' END")
    await broken_down(main)
    [other] = await BreakdownStore(main).providers(run.account_id, run.campaign_id)
    expected = Breakdown(opens=1, unique_opens=1, machine_opens=1, clicks=1, unique_clicks=1, human_clicks=1)
    assert other.counts == expected


async def test_a_label_that_changes_while_its_event_is_being_counted_is_not_lost(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    await add(main, run, 1, "open", timedelta(0))
    for _ in range(2):
        await feed.advance(main)
    async with main.acquire() as counting:
        transaction = counting.transaction()
        await transaction.start()
        await counting.fetchval(breakdown.SQL["progress"])
        relabelling = asyncio.create_task(main.execute("UPDATE event SET label = 'machine'"))
        await eventually(lambda: waits_for_a_lock(main))
        await counting.execute(breakdown.SQL["break_down"], 0, 1)
        await counting.execute(breakdown.SQL["reach"], 1)
        await transaction.commit()
        await relabelling
    [other] = await BreakdownStore(main).providers(run.account_id, run.campaign_id)
    assert other.counts == Breakdown(opens=1, unique_opens=1, machine_opens=1)
    assert await laws_broken(main, run) <= {"counters_equal_recounts"}


async def waits_for_a_lock(main: asyncpg.Pool) -> bool:
    return bool(
        await main.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
    )


async def test_whoever_dies_while_counting_has_counted_nothing(main: asyncpg.Pool, new_id: IdSource) -> None:
    run = await make_run(main, new_id)
    await add(main, run, 1, "open", timedelta(0))
    for _ in range(2):
        await feed.advance(main)
    async with main.acquire() as dying:
        transaction = dying.transaction()
        await transaction.start()
        await dying.fetchval(breakdown.SQL["progress"])
        await dying.execute(breakdown.SQL["break_down"], 0, 1)
        assert await breakdown.break_down(main) == 0
        await transaction.rollback()
    assert [await breakdown.break_down(main) for _ in range(2)] == [1, 0]
    [other] = await BreakdownStore(main).providers(run.account_id, run.campaign_id)
    assert other.counts == Breakdown(opens=1, unique_opens=1, human_opens=1)


async def test_another_accounts_campaign_is_not_there_and_no_run_is_nothing(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    run, store = await make_run(main, new_id, kind="test"), BreakdownStore(main)
    with pytest.raises(NotFound):
        await store.series(new_id(), run.campaign_id, "hour", hours=1)
    with pytest.raises(NotFound):
        await store.providers(new_id(), run.campaign_id)
    assert (await store.series(run.account_id, run.campaign_id, "hour", hours=1)).spans == []
    assert await store.deliverability(run.account_id, START, START + timedelta(days=1)) == []


async def test_deliverability_takes_the_runs_of_its_period(main: asyncpg.Pool, new_id: IdSource) -> None:
    run = await make_run(main, new_id)
    await add(main, run, 1, "unsubscribe", timedelta(0))
    await broken_down(main)
    store = BreakdownStore(main)
    started = START + timedelta(milliseconds=100)
    after = started + timedelta(microseconds=1)
    assert await store.deliverability(run.account_id, after, START + timedelta(days=1)) == []
    [other] = await store.deliverability(run.account_id, started, after)
    assert other.provider == "other"
