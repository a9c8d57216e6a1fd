import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.errors import InvalidInput, Superseded
from core.ids import encode
from members.audience import Audience, AudienceSource, SliceEnd
from members.choices import set_least_days
from members.engagement import Sink
from members.topics import TopicStore
from scheduler import chores
from scheduler.audience import FIRST_SLICE, AudienceCutter
from scheduler.campaigns.states import State
from scheduler.jobs import Job, JobQueue
from scheduler.starts import start_due
from tests.support.campaigns import Stage
from tracking.engagement import MemberEngagement


async def planned_job(stage: Stage) -> Job:
    await chores.plan_audiences(stage.main, 600)
    job = await JobQueue(stage.main, await stage.worker()).claim("audience_slice")
    assert job is not None
    return job


async def test_the_slices_together_are_the_vault_s_members(stage: Stage) -> None:
    members = await stage.members(2_500)
    campaign = await stage.scheduled(seconds=60)
    assert await chores.plan_audiences(stage.main, 600) == 1
    assert await stage.cut_audiences(slice_rows=1_000) == 3
    recipients = await stage.recipients(campaign)
    assert sorted(row["member_id"] for row in recipients) == sorted(members)
    assert [row["seq"] for row in recipients] == list(range(1, 2_501))
    run = await stage.run(campaign)
    assert (run.audience_state, run.counts.snapshot, run.counts.waiting) == ("whole", 2_500, 2_500)


async def test_a_run_bears_the_topic_that_it_writes_about(stage: Stage) -> None:
    topic_id = (await TopicStore(stage.vault, stage.new_id).create(stage.account_id, "weekly")).topic_id
    about, nothing = await stage.scheduled(audience={"topic": encode("top", topic_id)}), await stage.scheduled()
    found = {row["run_id"]: row["topic_id"] for row in await stage.main.fetch("SELECT run_id, topic_id FROM run")}
    assert found == {about.run_id: topic_id, nothing.run_id: None}


async def test_within_a_slice_recipients_are_grouped_by_destination(stage: Stage) -> None:
    await stage.members(100)
    campaign = await stage.scheduled(seconds=60)
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences()
    rows = [(row["tag"], row["member_id"]) for row in await stage.recipients(campaign)]
    assert rows == sorted(rows)


async def test_the_first_chunks_are_small_and_cover_every_recipient_once(stage: Stage) -> None:
    await stage.members(2_500)
    campaign = await stage.scheduled(seconds=60)
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences(slice_rows=1_000)
    assert await stage.chunks(campaign) == [
        (1, 20),
        (21, 70),
        (71, 270),
        (271, 1_000),
        (1_001, 2_000),
        (2_001, 2_500),
    ]


async def test_a_rated_campaign_s_chunks_hold_a_second_s_worth(stage: Stage) -> None:
    await stage.members(25)
    campaign = await stage.scheduled(seconds=60, rate_per_hour=36_000)
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences()
    assert await stage.chunks(campaign) == [(1, 10), (11, 20), (21, 25)]


async def test_the_first_slice_is_small_so_that_sending_begins_while_the_rest_is_cut(stage: Stage) -> None:
    await stage.members(FIRST_SLICE + 10)
    campaign = await stage.scheduled()
    job = await planned_job(stage)
    await stage.cutter(slice_rows=100_000)(job)
    await start_due(stage.main)
    run = await stage.run(campaign)
    assert (run.state, run.audience_state, run.counts.snapshot) == (State.RUNNING, "cutting", FIRST_SLICE)
    assert await chores.finish(stage.main) == 0
    await stage.cut_audiences(slice_rows=100_000)
    assert (await stage.run(campaign)).counts.snapshot == FIRST_SLICE + 10


async def test_who_may_not_be_sent_to_is_left_out_and_counted_by_reason(stage: Stage, vault: asyncpg.Pool) -> None:
    await stage.members(30)
    await stage.members(5, status="pending")
    (bounced, *_) = await stage.members(1)
    await vault.execute(
        "INSERT INTO suppression SELECT account_id, suppression_hash, 'all', 'bounced', app.now() FROM member"
        " WHERE member_id = $1",
        bounced,
    )
    campaign = await stage.scheduled(seconds=60)
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences(slice_rows=10)
    run = await stage.run(campaign)
    assert run.counts.snapshot == 30
    assert run.left_out == {"pending": 5, "bounced": 1}


async def test_who_asked_for_less_mail_is_left_out_of_the_next_campaign_until_the_time_has_passed(
    stage: Stage, vault: asyncpg.Pool
) -> None:
    weekly, *others = await stage.members(20)
    await set_least_days(vault, stage.account_id, weekly, 7)

    async def sent_in(days: float) -> tuple[int, dict[str, int]]:
        campaign = await stage.scheduled(seconds=60)
        await stage.main.execute(
            "UPDATE run SET starts_at = app.now() + make_interval(secs => $2) WHERE run_id = $1",
            campaign.run_id,
            days * 86_400,
        )
        await chores.plan_audiences(stage.main, 30 * 86_400)
        await stage.cut_audiences(slice_rows=10)
        run = await stage.run(campaign)
        return run.counts.snapshot, dict(run.left_out)

    assert await sent_in(0.01) == (20, {})
    assert await sent_in(6.9) == (len(others), {"less_often": 1})
    assert await sent_in(7.1) == (20, {})


async def test_who_comes_after_the_first_slice_is_not_of_the_audience(stage: Stage) -> None:
    members = await stage.members(50)
    campaign = await stage.scheduled(seconds=60)
    await stage.cutter(slice_rows=20)(await planned_job(stage))
    await stage.members(50)
    await stage.cut_audiences(slice_rows=20)
    assert sorted(row["member_id"] for row in await stage.recipients(campaign)) == sorted(members)


async def test_a_run_that_an_older_release_began_to_cut_is_cut_on_from_where_it_was(stage: Stage) -> None:
    members = await stage.members(50)
    campaign = await stage.scheduled(seconds=60)
    await stage.cutter(slice_rows=20)(await planned_job(stage))
    # Its rules were one path over facets.
    await stage.main.execute(
        "UPDATE job SET payload = payload - ARRAY['rule', 'at', 'topic'] || '{\"path\": null}' WHERE state = 'ready'"
    )
    await stage.members(50)
    assert await stage.cut_audiences(slice_rows=20) == 2
    assert sorted(row["member_id"] for row in await stage.recipients(campaign)) == sorted(members)
    assert (await stage.run(campaign)).audience_state == "whole"


async def test_an_audience_of_nobody_is_whole_and_its_run_finishes(stage: Stage) -> None:
    campaign = await stage.scheduled()
    await chores.plan_audiences(stage.main, 600)
    assert await stage.cut_audiences() == 1
    await start_due(stage.main)
    assert await chores.finish(stage.main) == 1
    assert (await stage.run(campaign)).state is State.FINISHED


async def test_a_slice_that_dies_before_its_commit_loses_and_doubles_nothing(stage: Stage) -> None:
    members = await stage.members(300)
    campaign = await stage.scheduled(seconds=60)
    await stage.cutter(slice_rows=100)(await planned_job(stage))
    queue = JobQueue(stage.main, await stage.worker())
    job = await queue.claim("audience_slice")
    assert job is not None
    reached = asyncio.Event()

    class Stalling(AudienceSource):
        async def slice(
            self, account_id: UUID, audience: Audience, after: UUID | None, upper: UUID, limit: int, sink: Sink
        ) -> SliceEnd:
            end = await super().slice(account_id, audience, after, upper, limit, sink)
            reached.set()
            await asyncio.Event().wait()
            return end

    stalling = Stalling(stage.vault, stage.rings, MemberEngagement(stage.main))
    dying = asyncio.create_task(AudienceCutter(stage.main, stalling, new_id=stage.new_id, slice_rows=100)(job))
    await reached.wait()
    dying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    assert (await stage.run(campaign)).counts.snapshot == 100
    await stage.main.execute("UPDATE worker SET reaped_at = app.now() WHERE owner = $1", job.owner)
    assert await chores.release_jobs(stage.main) == 1
    assert await stage.cut_audiences(slice_rows=100) == 2
    assert sorted(row["member_id"] for row in await stage.recipients(campaign)) == sorted(members)
    assert sum(last - first + 1 for first, last in await stage.chunks(campaign)) == 300


async def test_a_slice_that_dies_in_its_transaction_leaves_no_trace(stage: Stage) -> None:
    members = await stage.members(300)
    campaign = await stage.scheduled(seconds=60)
    job = await planned_job(stage)

    def die() -> UUID:
        # Asked for the next job's id, when recipients, chunks and figures are written and nothing is committed.
        raise ConnectionAbortedError

    cutter = AudienceCutter(stage.main, stage.audience, new_id=die, slice_rows=100)
    with pytest.raises(ConnectionAbortedError):
        await cutter(job)
    assert await stage.recipients(campaign) == []
    assert await stage.chunks(campaign) == []
    await stage.cutter(slice_rows=100)(job)
    await stage.cut_audiences(slice_rows=100)
    assert sorted(row["member_id"] for row in await stage.recipients(campaign)) == sorted(members)
    assert (await stage.run(campaign)).counts.snapshot == 300


async def test_a_worker_whose_job_was_given_away_can_not_commit_its_slice(stage: Stage) -> None:
    await stage.members(50)
    campaign = await stage.scheduled(seconds=60)
    late = await planned_job(stage)
    await stage.main.execute("UPDATE worker SET reaped_at = app.now() WHERE owner = $1", late.owner)
    with pytest.raises(Superseded):
        await stage.cutter()(late)
    await chores.release_jobs(stage.main)
    await stage.cut_audiences()
    await stage.main.execute("UPDATE run SET audience_state = 'cutting' WHERE run_id = $1", campaign.run_id)
    with pytest.raises(Superseded):
        await stage.cutter()(late)
    assert (await stage.run(campaign)).counts.snapshot == 50


async def test_a_source_that_fails_half_way_leaves_no_trace(stage: Stage) -> None:
    await stage.members(50)
    campaign = await stage.scheduled(seconds=60)

    class Failing(AudienceSource):
        async def slice(
            self, account_id: UUID, audience: Audience, after: UUID | None, upper: UUID, limit: int, sink: Sink
        ) -> SliceEnd:
            await super().slice(account_id, audience, after, upper, limit, sink)
            raise ConnectionError

    cutter = AudienceCutter(
        stage.main, Failing(stage.vault, stage.rings, MemberEngagement(stage.main)), new_id=stage.new_id, slice_rows=100
    )
    with pytest.raises(ConnectionError):
        await cutter(await planned_job(stage))
    assert (await stage.run(campaign)).counts.snapshot == 0
    assert await stage.recipients(campaign) == []


async def test_a_cancelled_run_s_slice_is_taken_back(stage: Stage) -> None:
    await stage.members(50)
    campaign = await stage.scheduled(seconds=60)
    job = await planned_job(stage)

    class CancelledMeanwhile(AudienceSource):
        async def slice(self, *arguments: Any) -> SliceEnd:
            await stage.campaigns.cancel(stage.account_id, campaign.campaign_id)
            return await super().slice(*arguments)

    source = CancelledMeanwhile(stage.vault, stage.rings, MemberEngagement(stage.main))
    await AudienceCutter(stage.main, source, new_id=stage.new_id, slice_rows=10)(job)
    run = await stage.run(campaign)
    assert (run.state, run.counts.snapshot) == (State.CANCELLED, 0)
    assert await stage.recipients(campaign) == []
    assert await stage.main.fetchval("SELECT count(*) FROM job WHERE state = 'ready'") == 0


async def test_an_audience_is_planned_once_and_only_when_its_time_has_come(stage: Stage) -> None:
    soon, late = await stage.scheduled(seconds=60), await stage.scheduled(seconds=7_200)
    counts = await asyncio.gather(*(chores.plan_audiences(stage.main, 600) for _ in range(8)))
    assert sum(counts) == 1
    jobs = await stage.main.fetch("SELECT subject_id FROM job")
    assert [row["subject_id"] for row in jobs] == [soon.run_id]
    assert (await stage.run(late)).audience_state == "waiting"


async def test_a_group_s_members_are_its_audience_even_if_it_goes_between_two_slices(
    stage: Stage, vault: asyncpg.Pool
) -> None:
    group_id, shown = await stage.group("Fans")
    await stage.members(20)
    fans = await stage.members(20, group=group_id)
    campaign = await stage.scheduled(seconds=60, audience={"groups": [shown]})
    await stage.cutter(slice_rows=10)(await planned_job(stage))
    await vault.execute("DELETE FROM member_group")
    await stage.cut_audiences(slice_rows=10)
    assert sorted(row["member_id"] for row in await stage.recipients(campaign)) == sorted(fans)


async def test_a_group_that_is_gone_before_its_time_fails_the_audience_and_says_why(
    stage: Stage, vault: asyncpg.Pool
) -> None:
    _, shown = await stage.group("Fans")
    campaign = await stage.scheduled(audience={"groups": [shown]})
    await vault.execute("DELETE FROM member_group")
    queue = JobQueue(stage.main, await stage.worker())
    await chores.plan_audiences(stage.main, 600)
    job = await queue.claim("audience_slice")
    assert job is not None
    with pytest.raises(InvalidInput) as caught:
        await stage.cutter()(job)
    await queue.fail(job, str(caught.value), None)
    run = await stage.run(campaign)
    assert (run.audience_state, run.state) == ("failed", State.SCHEDULED)
    assert run.reason == "The audience names what is not there"
    assert await start_due(stage.main) == []
    assert (await stage.run(campaign)).state is State.CANCELLED


async def test_new_work_for_an_idle_lane_makes_up_for_nothing(stage: Stage, main: asyncpg.Pool) -> None:
    await stage.members(10)
    first, second = await stage.scheduled(), await stage.scheduled()
    await start_due(main)
    await main.execute("UPDATE lane SET vtime = 900 WHERE run_id = $1", first.run_id)
    await chores.plan_audiences(main, 600)
    await stage.cut_audiences()
    assert await main.fetchval("SELECT vtime FROM lane WHERE run_id = $1", second.run_id) == 900
