import asyncio
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from core.errors import Conflict
from delivery import suspension
from scheduler import chores
from scheduler.campaigns.fields import Campaign
from scheduler.campaigns.states import State
from scheduler.campaigns.steering import resume_due, suspend
from scheduler.starts import start_due
from tests.support.campaigns import Stage
from tests.support.postgres import shift_clock

WHY = "rule docomo-busy"


async def running(stage: Stage, members: int = 100) -> Campaign:
    await stage.members(members)
    campaign = await stage.scheduled()
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences()
    await start_due(stage.main)
    return campaign


async def suspended(stage: Stage, seconds: float = 600) -> Campaign:
    campaign = await running(stage)
    assert campaign.run_id is not None
    assert await suspend(stage.main, campaign.run_id, seconds, WHY)
    return campaign


async def shown(stage: Stage, campaign: Campaign) -> tuple[State, str, float | None]:
    """State of the run, state of its lane, seconds until it goes on by itself."""
    row = await stage.main.fetchrow(
        "SELECT run.state, lane.state AS lane, extract(epoch FROM resume_at - app.now())::float AS wait"
        " FROM run JOIN lane USING (run_id) WHERE run_id = $1",
        campaign.run_id,
    )
    assert row is not None
    return State(row["state"]), row["lane"], row["wait"]


async def test_a_suspended_run_goes_on_by_itself_when_its_time_is_over(stage: Stage, main_owner: asyncpg.Pool) -> None:
    campaign = await suspended(stage, 600)
    await chores.settle(stage.main)
    run = await stage.run(campaign)
    assert (run.state, run.reason) == (State.PAUSED, WHY)
    assert run.resume_at is not None
    assert await resume_due(stage.main) == []
    await shift_clock(main_owner, 601)
    await stage.main.execute("UPDATE lane SET vtime = 7 WHERE run_id = $1", campaign.run_id)
    assert await resume_due(stage.main) == [campaign.run_id]
    assert await resume_due(stage.main) == []
    assert await shown(stage, campaign) == (State.RUNNING, "running", None)
    assert (await stage.run(campaign)).reason is None


async def test_two_schedulers_resume_a_run_once(stage: Stage, main_owner: asyncpg.Pool) -> None:
    campaigns = [await suspended(stage, 60) for _ in range(5)]
    await shift_clock(main_owner, 61)
    told = await asyncio.gather(*(resume_due(stage.main) for _ in range(4)))
    assert sorted(run for runs in told for run in runs) == sorted(one.run_id for one in campaigns if one.run_id)


async def test_a_resumed_lane_makes_up_for_nothing(stage: Stage, main_owner: asyncpg.Pool) -> None:
    held, other = await suspended(stage, 60), await running(stage)
    await stage.main.execute("UPDATE lane SET vtime = 500 WHERE run_id = $1", other.run_id)
    await shift_clock(main_owner, 61)
    await resume_due(stage.main)
    assert await stage.main.fetchval("SELECT vtime FROM lane WHERE run_id = $1", held.run_id) == 500


@pytest.mark.parametrize("by_itself", [True, False])
async def test_what_waits_for_its_site_waits_anew_after_a_pause(
    stage: Stage, main_owner: asyncpg.Pool, by_itself: bool
) -> None:
    campaign = await suspended(stage, 60)
    await main_owner.execute(
        "INSERT INTO site (site_id, digest) OVERRIDING SYSTEM VALUE VALUES (7, decode(repeat('07', 16), 'hex'))"
    )
    await stage.main.execute(
        "UPDATE chunk SET site_id = 7, why = 'site', held_since = app.now() WHERE run_id = $1", campaign.run_id
    )
    await shift_clock(main_owner, 100 * 3_600)
    if by_itself:
        await resume_due(stage.main)
    else:
        await stage.campaigns.resume(stage.account_id, campaign.campaign_id)
    assert await stage.main.fetchval("SELECT max(app.now() - held_since) < '1 minute' FROM chunk")


async def test_a_second_suspension_never_shortens_the_first(stage: Stage) -> None:
    campaign = await suspended(stage, 600)
    assert campaign.run_id is not None
    for seconds, least in ((60, 590), (1200, 1190)):
        assert await suspension.suspend_run(stage.main, campaign.run_id, seconds, WHY)
        _, _, wait = await shown(stage, campaign)
        assert wait is not None
        assert wait > least


async def test_a_person_s_pause_makes_a_suspension_a_plain_pause(stage: Stage, main_owner: asyncpg.Pool) -> None:
    campaign = await suspended(stage, 60)
    await stage.campaigns.pause(stage.account_id, campaign.campaign_id)
    assert (await stage.run(campaign)).reason is None
    assert campaign.run_id is not None
    assert not await suspend(stage.main, campaign.run_id, 60, WHY)
    await shift_clock(main_owner, 3_600)
    assert await resume_due(stage.main) == []
    await chores.settle(stage.main)
    assert await shown(stage, campaign) == (State.PAUSED, "held", None)


async def test_a_person_may_pause_for_a_time_and_say_another(stage: Stage, main_owner: asyncpg.Pool) -> None:
    campaign = await running(stage)
    for seconds in (7_200, 60):
        paused = await stage.campaigns.pause(stage.account_id, campaign.campaign_id, seconds=seconds)
        assert paused.resume_at is not None
        assert abs((paused.resume_at - await stage.now()).total_seconds() - seconds) < 30
    await shift_clock(main_owner, 61)
    assert await resume_due(stage.main) == [campaign.run_id]


@pytest.mark.parametrize("settled", [True, False])
async def test_a_resume_or_a_cancel_by_a_person_ends_a_suspension(stage: Stage, settled: bool) -> None:
    resumed, cancelled = await suspended(stage), await suspended(stage)
    if settled:
        await chores.settle(stage.main)
    await stage.campaigns.resume(stage.account_id, resumed.campaign_id)
    await stage.campaigns.cancel(stage.account_id, cancelled.campaign_id)
    assert await shown(stage, resumed) == (State.RUNNING, "running", None)
    assert await shown(stage, cancelled) == (State.CANCELLING, "held", None)
    await chores.settle(stage.main)
    assert (await stage.run(cancelled)).state is State.CANCELLED


@pytest.mark.parametrize("end", [chores.finish, chores.settle])
async def test_a_suspended_run_with_nothing_left_to_do_is_finished(
    stage: Stage, end: Callable[[asyncpg.Pool], Awaitable[int]]
) -> None:
    campaign = await suspended(stage)
    await stage.end_chunks(campaign)
    assert await end(stage.main) == 1
    assert await shown(stage, campaign) == (State.FINISHED, "closed", None)


async def test_what_is_not_under_way_is_not_suspended(stage: Stage) -> None:
    scheduled = await stage.scheduled(seconds=60)
    test = await stage.campaigns.test(stage.account_id, scheduled.campaign_id, await stage.members(1))
    for run_id in (scheduled.run_id, test, stage.new_id()):
        assert run_id is not None
        assert not await suspend(stage.main, run_id, 60, WHY)
    states = {row["state"] for row in await stage.main.fetch("SELECT state FROM run")}
    assert states == {"scheduled", "running"}
    with pytest.raises(Conflict):
        await stage.campaigns.pause(stage.account_id, scheduled.campaign_id, seconds=60)


async def test_why_an_audience_could_not_be_had_is_kept(stage: Stage) -> None:
    campaign = await running(stage)
    assert campaign.run_id is not None
    await stage.main.execute("UPDATE run SET audience_state = 'failed', reason = 'no audience'")
    await suspend(stage.main, campaign.run_id, 60, WHY)
    await stage.campaigns.pause(stage.account_id, campaign.campaign_id)
    await stage.campaigns.resume(stage.account_id, campaign.campaign_id)
    assert (await stage.run(campaign)).reason == "no audience"


async def test_a_run_that_is_not_held_can_not_have_an_end_of_its_suspension(stage: Stage) -> None:
    campaign = await running(stage)
    with pytest.raises(asyncpg.CheckViolationError):
        await stage.main.execute("UPDATE run SET resume_at = app.now() WHERE run_id = $1", campaign.run_id)
