import asyncio

import asyncpg
import pytest

from core.errors import Conflict
from scheduler import chores
from scheduler.campaigns.fields import Campaign
from scheduler.campaigns.states import State
from scheduler.starts import start_due
from tests.support.campaigns import Stage


async def running(stage: Stage, members: int = 100) -> Campaign:
    await stage.members(members)
    campaign = await stage.scheduled()
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences()
    await start_due(stage.main)
    return await shown(stage, campaign)


async def shown(stage: Stage, campaign: Campaign) -> Campaign:
    return await stage.campaigns.get(stage.account_id, campaign.campaign_id)


async def lane(stage: Stage, campaign: Campaign) -> str:
    state: str = await stage.main.fetchval("SELECT state FROM lane WHERE run_id = $1", campaign.run_id)
    return state


async def test_a_pause_is_final_only_when_no_chunk_is_leased(stage: Stage) -> None:
    campaign = await running(stage)
    assert campaign.run_id is not None
    chunk = await stage.lease_chunk(campaign)
    store, account, campaign_id = stage.campaigns, stage.account_id, campaign.campaign_id
    assert (await store.pause(account, campaign_id)).state is State.PAUSING
    assert await lane(stage, campaign) == "held"
    assert await chores.settle(stage.main) == 0
    assert await store.settle(campaign.run_id, State.PAUSED, 0.06) is State.PAUSING
    waiting = asyncio.create_task(store.settle(campaign.run_id, State.PAUSED, 5))
    await stage.main.execute("UPDATE chunk SET state = 'ready', owner = NULL WHERE chunk_id = $1", chunk)
    assert await waiting is State.PAUSED
    resumed = await store.resume(account, campaign_id)
    assert (resumed.state, await lane(stage, campaign)) == (State.RUNNING, "running")


async def test_a_cancel_before_the_start_is_final_at_once(stage: Stage) -> None:
    campaign = await stage.scheduled(seconds=60)
    cancelled = await stage.campaigns.cancel(stage.account_id, campaign.campaign_id)
    assert (cancelled.state, await lane(stage, campaign)) == (State.CANCELLED, "closed")
    assert (await stage.run(campaign)).finished_at is not None
    assert await stage.campaigns.settle(campaign.run_id or stage.new_id(), State.CANCELLED, 1) is State.CANCELLED


async def test_a_cancel_in_mid_run_ends_what_was_left(stage: Stage, main: asyncpg.Pool) -> None:
    campaign = await running(stage)
    chunk = await stage.lease_chunk(campaign)
    cancelling = await stage.campaigns.cancel(stage.account_id, campaign.campaign_id)
    assert cancelling.state is State.CANCELLING
    assert await chores.settle(main) == 0
    await main.execute("UPDATE chunk SET state = 'ready', owner = NULL WHERE chunk_id = $1", chunk)
    assert await chores.settle(main) == 1
    run = await stage.run(campaign)
    assert (run.state, run.counts.cancelled, run.counts.waiting) == (State.CANCELLED, 100, 0)
    assert await main.fetchval("SELECT count(*) FROM chunk WHERE state <> 'done'") == 0
    assert await lane(stage, campaign) == "closed"


async def test_what_the_state_does_not_allow_is_refused(stage: Stage) -> None:
    store, account = stage.campaigns, stage.account_id
    draft = await store.create(account, stage.fields())
    scheduled = await stage.scheduled(seconds=60)
    finished = await running(stage)
    await stage.end_chunks(finished)
    await chores.finish(stage.main)
    assert (await shown(stage, finished)).state is State.FINISHED
    for campaign, calls in (
        (draft, (store.pause, store.resume, store.cancel)),
        (scheduled, (store.pause, store.resume)),
        (finished, (store.pause, store.resume, store.cancel)),
    ):
        for call in calls:
            with pytest.raises(Conflict):
                await call(account, campaign.campaign_id)


async def test_asking_twice_is_no_fault(stage: Stage) -> None:
    campaign = await running(stage)
    store, account, campaign_id = stage.campaigns, stage.account_id, campaign.campaign_id
    assert (await store.resume(account, campaign_id)).state is State.RUNNING
    await store.pause(account, campaign_id)
    await chores.settle(stage.main)
    assert (await store.pause(account, campaign_id)).state is State.PAUSED
    await store.cancel(account, campaign_id)
    await chores.settle(stage.main)
    assert (await store.cancel(account, campaign_id)).state is State.CANCELLED


async def test_ten_that_ask_at_once_pause_it_once(stage: Stage) -> None:
    campaign = await running(stage)
    answers = await asyncio.gather(
        *(stage.campaigns.pause(stage.account_id, campaign.campaign_id) for _ in range(10)),
    )
    assert {answer.state for answer in answers} == {State.PAUSING}


async def test_a_pause_with_nothing_left_to_do_finishes_the_run(stage: Stage) -> None:
    campaign = await running(stage)
    await stage.end_chunks(campaign)
    await stage.campaigns.pause(stage.account_id, campaign.campaign_id)
    assert campaign.run_id is not None
    assert await stage.campaigns.settle(campaign.run_id, State.PAUSED, 1) is State.FINISHED


async def test_a_resumed_lane_makes_up_for_nothing(stage: Stage, main: asyncpg.Pool) -> None:
    held, other = await running(stage), await running(stage)
    await stage.campaigns.pause(stage.account_id, held.campaign_id)
    await main.execute("UPDATE lane SET vtime = 500 WHERE run_id = $1", other.run_id)
    await stage.campaigns.resume(stage.account_id, held.campaign_id)
    assert await main.fetchval("SELECT vtime FROM lane WHERE run_id = $1", held.run_id) == 500
