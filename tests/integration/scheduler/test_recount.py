"""The nightly count: silent where all agrees, told and metered where it does not."""

from datetime import UTC, datetime

import asyncpg
from prometheus_client import REGISTRY

from core.clock import FixedClock
from core.ids import IdSource
from core.outbox import NoticeStore
from scheduler.recount import Recount
from tests.support.runs import make_run

NIGHT = datetime(2026, 12, 1, 18, 5, tzinfo=UTC)


async def test_a_run_whose_figures_disagree_is_told_once_a_night_and_in_the_metrics(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    old = await make_run(main, new_id)
    await main.execute("UPDATE run SET started_at = app.now() WHERE run_id = $1", run.run_id)
    clock = FixedClock(NIGHT)
    recount = Recount(main, clock, new_id, hour=18, days=7)
    assert await recount.if_due() == 0
    assert await NoticeStore(main).newest(run.account_id) == []

    for wrong in (run, old):
        await main.execute(
            "INSERT INTO tally (run_id, kind, total, people) VALUES ($1, 'open', 5, 0)",
            wrong.run_id,
        )
    assert await recount.if_due() is None
    clock.advance(3_600)
    assert await recount.if_due() is None
    clock.advance(23 * 3_600)
    assert await recount.if_due() == 1
    [notice] = await NoticeStore(main).newest(run.account_id)
    assert (notice.kind, notice.subject_id, notice.payload) == (
        "run.miscounted",
        run.run_id,
        {"laws": {"counters_equal_recounts": 1}},
    )
    assert await NoticeStore(main).newest(old.account_id) == []
    assert REGISTRY.get_sample_value("todoku_miscounted_runs") == 1
    assert REGISTRY.get_sample_value("todoku_recounted_runs") == 1
