import asyncio

import asyncpg
import pytest

from core import ids
from core.audit import OPERATOR
from core.outbox import Notice, NoticeStore
from scheduler import chores
from scheduler.accounts import AccountFields, AccountStore
from scheduler.campaigns import steering
from scheduler.campaigns.autostop import HARD, stop_bouncing
from scheduler.campaigns.fields import Campaign
from scheduler.campaigns.states import State
from scheduler.campaigns.steering import resume_due, suspend
from scheduler.starts import start_due
from tests.support.campaigns import Stage
from tests.support.postgres import shift_clock
from tests.support.waiting import eventually
from tracking import tallies


async def running(stage: Stage, members: int = 1_000) -> Campaign:
    await stage.members(members)
    campaign = await stage.scheduled()
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences()
    await start_due(stage.main)
    return campaign


async def count(stage: Stage, campaign: Campaign, **totals: int) -> None:
    """Results as workers count them: `accepted`, `deferred`, or a failure by its reason."""
    for what, total in totals.items():
        kind, detail = (what, "") if what in {"accepted", "deferred"} else ("failed", what)
        await stage.main.execute(
            "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, $2, $3, $4, 0)",
            *(campaign.run_id, kind, detail, total),
        )


async def state(stage: Stage, campaign: Campaign) -> State:
    return (await stage.run(campaign)).state


async def notices(stage: Stage) -> list[Notice]:
    return list(await NoticeStore(stage.main).newest(stage.account_id))


async def test_a_campaign_past_a_tenth_of_hard_bounces_pauses_and_says_why(stage: Stage) -> None:
    campaign = await running(stage)
    await count(stage, campaign, accepted=478, no_such_user=60, no_such_domain=2)
    assert await stop_bouncing(stage.main, stage.new_id) == 1
    run = await stage.run(campaign)
    why = "stopped by itself: 62 of 540 results were hard bounces (11.5 %), the limit is 10 %"
    assert (run.state, run.reason, run.resume_at) == (State.PAUSING, why, None)
    assert await stage.main.fetchval("SELECT state FROM lane WHERE run_id = $1", campaign.run_id) == "held"
    [notice] = await notices(stage)
    assert (notice.kind, notice.subject_id) == ("campaign.stopped", campaign.campaign_id)
    assert campaign.run_id is not None
    assert notice.payload == {
        "run": ids.encode("run", campaign.run_id),
        "results": 540,
        "hard_bounces": 62,
        "complaints": 0,
        "share": 0.1148,
        "limit": 0.1,
        "reason": why,
    }
    await chores.settle(stage.main)
    assert await state(stage, campaign) is State.PAUSED
    assert await stop_bouncing(stage.main, stage.new_id) == 0


@pytest.mark.parametrize(
    "totals",
    [
        {"accepted": 450, "no_such_user": 50},
        {"accepted": 400, "no_such_user": 99},
        {"accepted": 400, "mailbox_full": 60, "spam": 60, "expired": 60},
        {"accepted": 449, "no_such_user": 49, "deferred": 400},
    ],
    ids=["exactly a tenth", "too few results", "other failures", "deferrals are no results"],
)
async def test_what_is_within_the_limit_goes_on(stage: Stage, totals: dict[str, int]) -> None:
    campaign = await running(stage)
    await count(stage, campaign, **totals)
    assert await stop_bouncing(stage.main, stage.new_id) == 0
    assert await state(stage, campaign) is State.RUNNING


async def test_folded_counters_and_those_not_folded_yet_are_judged_as_one(stage: Stage) -> None:
    campaign = await running(stage)
    await count(stage, campaign, accepted=440, no_such_user=30)
    await tallies.fold(stage.main)
    assert await stop_bouncing(stage.main, stage.new_id) == 0
    await count(stage, campaign, accepted=10, no_such_user=21)
    assert await stop_bouncing(stage.main, stage.new_id) == 1


async def come_back(stage: Stage, campaign: Campaign, kind: str, detail: str, people: int) -> None:
    """What came by mail: each of `people` twice, which counts once."""
    await stage.main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, $2, $3, $4, $5)",
        *(campaign.run_id, kind, detail, people * 2, people),
    )


async def test_bounces_that_come_by_mail_count_as_those_that_are_said_at_once(stage: Stage) -> None:
    campaign = await running(stage)
    await count(stage, campaign, accepted=520, no_such_user=20)
    await come_back(stage, campaign, "bounce", "hard", 34)
    await come_back(stage, campaign, "bounce", "policy", 300)
    assert await stop_bouncing(stage.main, stage.new_id) == 0
    await come_back(stage, campaign, "bounce", "hard", 1)
    assert await stop_bouncing(stage.main, stage.new_id) == 1
    assert (await stage.run(campaign)).reason == (
        "stopped by itself: 55 of 540 results were hard bounces (10.2 %), the limit is 10 %"
    )


async def test_a_campaign_of_which_too_many_complain_pauses_and_is_watched_anew_once_resumed(stage: Stage) -> None:
    campaign = await running(stage, 3_000)
    await count(stage, campaign, accepted=1_000, no_such_user=50)
    await come_back(stage, campaign, "complaint", "", 3)
    assert await stop_bouncing(stage.main, stage.new_id) == 0
    await come_back(stage, campaign, "complaint", "", 1)
    assert await stop_bouncing(stage.main, stage.new_id) == 1
    assert (await stage.run(campaign)).reason == (
        "stopped by itself: 4 of 1000 who got it complained (0.40 %), the limit is 0.3 %"
    )
    await stage.campaigns.resume(stage.account_id, campaign.campaign_id)
    await count(stage, campaign, accepted=600)
    await come_back(stage, campaign, "complaint", "", 1)
    assert await stop_bouncing(stage.main, stage.new_id) == 0
    await come_back(stage, campaign, "complaint", "", 1)
    assert await stop_bouncing(stage.main, stage.new_id) == 1
    assert "2 of 600 who got it since it was resumed complained" in str((await stage.run(campaign)).reason)


async def test_an_account_says_how_many_may_complain(stage: Stage) -> None:
    campaign = await running(stage)
    await stage.main.execute("UPDATE account SET auto_stop_complaints = 0.01")
    await count(stage, campaign, accepted=600)
    await come_back(stage, campaign, "complaint", "", 6)
    assert await stop_bouncing(stage.main, stage.new_id) == 0
    await come_back(stage, campaign, "complaint", "", 1)
    assert await stop_bouncing(stage.main, stage.new_id) == 1


async def test_of_schedulers_that_decide_at_once_one_pauses_and_one_tells(stage: Stage) -> None:
    campaigns = [await running(stage) for _ in range(3)]
    for campaign in campaigns:
        await count(stage, campaign, accepted=400, no_such_user=140)
    stopped = await asyncio.gather(*(stop_bouncing(stage.main, stage.new_id) for _ in range(6)))
    assert sum(stopped) == 3
    assert sorted(one.subject_id for one in await notices(stage)) == [one.campaign_id for one in campaigns]


async def test_who_resumes_it_has_seen_the_figures_and_they_are_watched_anew(stage: Stage) -> None:
    campaign = await running(stage, 2_000)
    await count(stage, campaign, accepted=400, no_such_user=140)
    await stop_bouncing(stage.main, stage.new_id)
    await count(stage, campaign, no_such_user=10)
    await stage.campaigns.resume(stage.account_id, campaign.campaign_id)
    assert (await stage.run(campaign)).reason is None
    await tallies.fold(stage.main)
    await count(stage, campaign, accepted=300, no_such_user=199)
    assert await stop_bouncing(stage.main, stage.new_id) == 0
    await count(stage, campaign, no_such_user=1)
    assert await stop_bouncing(stage.main, stage.new_id) == 1
    assert (await stage.run(campaign)).reason == (
        "stopped by itself: 200 of 500 results since it was resumed were hard bounces (40.0 %), the limit is 10 %"
    )
    assert len(await notices(stage)) == 2


async def test_good_results_after_a_resume_do_not_stop_it_for_the_old_bounces(stage: Stage) -> None:
    campaign = await running(stage, 2_000)
    await count(stage, campaign, accepted=400, no_such_user=140)
    await stop_bouncing(stage.main, stage.new_id)
    await stage.campaigns.resume(stage.account_id, campaign.campaign_id)
    await count(stage, campaign, accepted=570, no_such_user=30)
    assert await stop_bouncing(stage.main, stage.new_id) == 0


async def test_a_decision_that_a_person_s_resume_has_overtaken_is_dropped(stage: Stage) -> None:
    campaign = await running(stage)
    await count(stage, campaign, accepted=400, no_such_user=140)

    async def waits_for_a_lock() -> bool:
        waiting: int = await stage.main.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return waiting > 0

    async with stage.main.acquire() as connection, connection.transaction():
        for statement, argument in (("pause", None), ("resume", HARD)):
            assert await connection.fetchval(steering.SQL[statement], campaign.run_id, argument)
        deciding = asyncio.create_task(stop_bouncing(stage.main, stage.new_id))
        await eventually(waits_for_a_lock)
    assert await deciding == 0
    assert await state(stage, campaign) is State.RUNNING
    assert await notices(stage) == []


async def test_a_suspension_that_ends_by_itself_forgives_nothing(stage: Stage, main_owner: asyncpg.Pool) -> None:
    campaign = await running(stage)
    assert campaign.run_id is not None
    await count(stage, campaign, accepted=400, no_such_user=90)
    await suspend(stage.main, campaign.run_id, 60, "rule slow")
    await shift_clock(main_owner, 61)
    await resume_due(stage.main)
    await count(stage, campaign, no_such_user=10)
    assert await stop_bouncing(stage.main, stage.new_id) == 1


async def test_a_test_send_is_not_watched(stage: Stage) -> None:
    campaign = await stage.scheduled(seconds=60)
    test = await stage.campaigns.test(stage.account_id, campaign.campaign_id, await stage.members(1))
    await stage.main.execute("UPDATE run SET snapshot = 1000 WHERE run_id = $1", test)
    await stage.main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, 'failed', 'no_such_user', 1000, 0)",
        test,
    )
    assert await stop_bouncing(stage.main, stage.new_id) == 0


async def test_an_account_sets_its_own_limit_or_none(stage: Stage) -> None:
    store = AccountStore(stage.main, stage.new_id)
    campaign = await running(stage, 100)
    await count(stage, campaign, accepted=71, no_such_user=29)
    for fields, stops in (
        (AccountFields(auto_stop=True, auto_stop_share=0.29, auto_stop_after=100), 0),
        (AccountFields(auto_stop=True, auto_stop_share=0.28, auto_stop_after=101), 0),
        (AccountFields(auto_stop=False, auto_stop_share=0.28, auto_stop_after=100), 0),
        (AccountFields(auto_stop=True, auto_stop_share=0.28, auto_stop_after=100), 1),
    ):
        present = await store.get(stage.account_id)
        await store.change(stage.account_id, fields, revision=present.revision, by=OPERATOR)
        assert await stop_bouncing(stage.main, stage.new_id) == stops, fields


async def test_the_reasons_are_those_that_the_address_is_to_blame_for() -> None:
    assert {"no_such_user", "no_such_domain"} <= set(HARD)
    assert not {"spam", "throttled", "mailbox_full", "expired", "connection_lost"} & set(HARD)


async def test_the_check_reads_counters_and_no_results(stage: Stage, main_owner: asyncpg.Pool) -> None:
    campaign = await running(stage)
    await count(stage, campaign, accepted=478, no_such_user=62)
    await main_owner.execute("REVOKE SELECT ON result, intent, recipient, chunk FROM todoku_app")
    assert await stop_bouncing(stage.main, stage.new_id) == 1
