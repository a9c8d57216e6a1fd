import asyncio

import asyncpg

from core.database import close_pool, open_pool
from deploy.dsns import Dsns
from scheduler import chores
from scheduler.campaigns.states import State
from scheduler.starts import soon_due, start_due
from tests.support.campaigns import Stage
from tests.support.postgres import shift_clock


async def test_two_schedulers_start_each_of_twenty_due_campaigns_exactly_once(stage: Stage, dsns: Dsns) -> None:
    campaigns = [await stage.scheduled() for _ in range(20)]
    other = await open_pool(dsns.main, name="another scheduler")
    try:
        started = await asyncio.gather(*(start_due(pool) for pool in [stage.main, other] * 8))
    finally:
        await close_pool(other)
    assert sorted(run for runs in started for run in runs) == sorted(campaign.run_id for campaign in campaigns)  # type: ignore[type-var]
    assert {(await stage.run(campaign)).state for campaign in campaigns} == {State.RUNNING}


async def test_a_run_starts_at_its_time_and_not_before(stage: Stage, main_owner: asyncpg.Pool) -> None:
    campaign = await stage.scheduled(seconds=60)
    assert await start_due(stage.main) == []
    (wait,) = await soon_due(stage.main, 61)
    assert 0 < wait <= 60
    await shift_clock(main_owner, 61)
    assert await start_due(stage.main) == [campaign.run_id]
    assert await start_due(stage.main) == []
    run = await stage.run(campaign)
    assert run.lateness is not None
    assert 0 <= run.lateness < 60


async def test_a_run_starts_on_time_though_its_audience_is_late(stage: Stage) -> None:
    campaign = await stage.scheduled()
    await start_due(stage.main)
    assert (await stage.run(campaign)).audience_state == "waiting"
    assert await chores.finish(stage.main) == 0
    assert await chores.plan_audiences(stage.main, 600) == 1


async def test_a_new_lane_begins_at_the_least_virtual_time_of_those_that_run(stage: Stage) -> None:
    busy = [await stage.scheduled(), await stage.scheduled()]
    await start_due(stage.main)
    for campaign, vtime in zip(busy, (300.0, 200.0), strict=True):
        await stage.main.execute("UPDATE lane SET vtime = $2 WHERE run_id = $1", campaign.run_id, vtime)
    new = await stage.scheduled()
    await start_due(stage.main)
    lane = await stage.main.fetchrow("SELECT state, vtime FROM lane WHERE run_id = $1", new.run_id)
    assert tuple(lane or ()) == ("running", 200.0)


async def test_a_run_finishes_once_nothing_is_left_to_do(stage: Stage) -> None:
    await stage.members(10)
    campaign = await stage.scheduled()
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences()
    await start_due(stage.main)
    assert await chores.finish(stage.main) == 0
    await stage.lease_chunk(campaign)
    assert await chores.finish(stage.main) == 0
    await stage.end_chunks(campaign)
    assert await chores.finish(stage.main) == 1
    run = await stage.run(campaign)
    assert run.state is State.FINISHED
    assert run.finished_at is not None
    assert await stage.main.fetchval("SELECT state FROM lane WHERE run_id = $1", campaign.run_id) == "closed"
