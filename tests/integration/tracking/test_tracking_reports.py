import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from core.errors import NotFound
from core.ids import IdSource
from tests.support.runs import LINKS, make_run
from tests.support.tracker import tracker
from tracking import tallies
from tracking.figures import Figures
from tracking.reports import ReportStore


async def outcomes(main: asyncpg.Pool, run_id: object, **counts: int) -> None:
    await main.executemany(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, $2, $3, $4, 0)",
        [(run_id, kind.partition("__")[0], kind.partition("__")[2], count) for kind, count in counts.items()],
    )


async def test_a_report_says_what_was_sent_and_what_came_back(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, recipients=10, state="finished")
    await outcomes(
        main, run.run_id, accepted__accepted=4, failed__expired=1, failed__no_such_user=2, suppressed__unsubscribed=1,
        deferred__greylisted=3, deferred__throttled=2,
    )  # fmt: skip
    await main.execute(
        "INSERT INTO result (run_id, seq, try, outcome, at) VALUES ($1, 9, 1, 'uncertain', app.now())", run.run_id
    )
    async with tracker(main_tracker) as web:
        for path in (run.open_path(1), run.open_path(1), run.open_path(2), run.click_path(1, 0), run.click_path(1, 2)):
            await web.get(path)
        for _ in range(2):
            await web.post(run.unsubscribe_path(3))
    report = await ReportStore(main).campaign(run.account_id, run.campaign_id)
    assert report.total == Figures(
        snapshot=10,
        accepted=4,
        failed=3,
        failed_by_reason={"expired": 1, "no_such_user": 2},
        suppressed=1,
        suppressed_by_reason={"unsubscribed": 1},
        uncertain=1,
        waiting=1,
        deferred=5,
        opens=3,
        unique_opens=2,
        clicks=2,
        unique_clicks=1,
        unsubscribes=1,
    )
    assert (report.total.open_rate, report.total.unique_open_rate) == (0.75, 0.5)
    assert (report.total.click_rate, report.total.unique_click_rate) == (0.5, 0.25)
    (only,) = report.runs
    assert only.figures == report.total
    assert (only.run_id, only.state, only.lateness_ms) == (run.run_id, "finished", 250)
    assert only.starts_at == datetime(2026, 4, 1, 9, tzinfo=UTC)
    assert only.finished_at == only.starts_at + timedelta(minutes=10)


async def test_folding_in_between_changes_no_figure(main: asyncpg.Pool, new_id: IdSource) -> None:
    run = await make_run(main, new_id, recipients=10)
    store = ReportStore(main)
    for _ in range(3):
        await outcomes(main, run.run_id, accepted__accepted=2, failed__spam=1)
        before = await store.campaign(run.account_id, run.campaign_id)
        assert await tallies.fold(main, 1) == 1
        assert await store.campaign(run.account_id, run.campaign_id) == before
    assert before.total.accepted == 6


async def test_links_are_listed_even_if_nobody_followed_them(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    async with tracker(main_tracker) as web:
        for seq, link in ((1, 0), (1, 0), (2, 0), (3, 2)):
            await web.get(run.click_path(seq, link))
    await tallies.fold(main, 2)
    links = await ReportStore(main).links(run.account_id, run.campaign_id)
    assert [(one.number, one.url) for one in links] == list(enumerate(LINKS))
    assert [(one.clicks, one.unique_clicks) for one in links] == [(3, 2), (0, 0), (1, 1)]


async def test_a_campaigns_runs_are_shown_apart_and_added_up_without_its_test_sends(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    first = await make_run(main, new_id, state="cancelled")
    account_id, campaign_id = first.account_id, first.campaign_id
    second = await make_run(main, new_id, account_id=account_id, campaign_id=campaign_id)
    test = await make_run(main, new_id, kind="test", account_id=account_id, campaign_id=campaign_id)
    for run, accepted in ((first, 1), (second, 2), (test, 3)):
        await outcomes(main, run.run_id, accepted__accepted=accepted)
    report = await ReportStore(main).campaign(account_id, campaign_id)
    assert [(run.run_id, run.figures.accepted) for run in report.runs] == [(first.run_id, 1), (second.run_id, 2)]
    assert (report.total.snapshot, report.total.accepted, report.total.cancelled, report.total.waiting) == (6, 3, 2, 1)
    assert {one.run_id for one in await ReportStore(main).links(account_id, campaign_id)} == {
        first.run_id,
        second.run_id,
    }


async def test_a_campaign_that_never_ran_has_zeros(main: asyncpg.Pool, new_id: IdSource) -> None:
    run = await make_run(main, new_id, kind="test")
    report = await ReportStore(main).campaign(run.account_id, run.campaign_id)
    assert (report.runs, report.total, report.total.open_rate) == ((), Figures(), None)


async def test_another_accounts_campaign_is_not_there(main: asyncpg.Pool, new_id: IdSource) -> None:
    run, other = await make_run(main, new_id), await make_run(main, new_id)
    for account_id, campaign_id in ((other.account_id, run.campaign_id), (run.account_id, new_id())):
        with pytest.raises(NotFound):
            await ReportStore(main).campaign(account_id, campaign_id)
        with pytest.raises(NotFound):
            await ReportStore(main).links(account_id, campaign_id)


async def test_several_schedulers_fold_every_delta_once(main: asyncpg.Pool, new_id: IdSource) -> None:
    runs = [await make_run(main, new_id, recipients=1) for _ in range(3)]
    for run in runs:
        await main.execute(
            "INSERT INTO tally_delta (run_id, kind, link, total, people) "
            "SELECT $1, k, l, 2, 1 FROM generate_series(1, 50), unnest(ARRAY['open', 'click']) k, "
            "generate_series(-1, 2) l",
            run.run_id,
        )

    async def scheduler() -> int:
        folded = 0
        while count := await tallies.fold(main, 70):
            folded += count
        return folded

    assert sum(await asyncio.gather(*(scheduler() for _ in range(4)))) == 1_200
    assert await main.fetchval("SELECT count(*) FROM tally_delta") == 0
    rows = await main.fetch("SELECT DISTINCT total, people FROM tally")
    assert [tuple(row) for row in rows] == [(100, 50)]
    assert await main.fetchval("SELECT count(*) FROM tally") == 24
