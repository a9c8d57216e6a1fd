import asyncio
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.errors import InvalidInput, Superseded
from core.ids import IdSource
from delivery.lease import Lease
from scheduler import chores
from scheduler.jobs import MOST_ATTEMPTS, Job, JobQueue, work
from scheduler.resealing import ResealJobs
from tests.support.campaigns import Stage


async def add_job(stage: Stage, kind: str = "import") -> UUID:
    job_id = stage.new_id()
    await stage.main.execute(
        "INSERT INTO job (job_id, account_id, kind, subject_id) VALUES ($1, $2, $3, $1)", job_id, stage.account_id, kind
    )
    return job_id


async def state(stage: Stage, job_id: UUID) -> str:
    found: str = await stage.main.fetchval("SELECT state FROM job WHERE job_id = $1", job_id)
    return found


def lease(main: asyncpg.Pool, clock: Clock, new_id: IdSource) -> Lease:
    return Lease(main, clock, owner=new_id(), pool="jobs", slot=0, seconds=45, beat=10)


async def test_a_job_is_claimed_once_however_many_ask(stage: Stage) -> None:
    made = {await add_job(stage) for _ in range(5)}
    queues = [JobQueue(stage.main, await stage.worker()) for _ in range(10)]
    claimed = await asyncio.gather(*(queue.claim("import") for queue in queues))
    assert {job.job_id for job in claimed if job} == made
    assert len([job for job in claimed if job]) == 5


async def test_only_a_live_worker_gets_a_job_and_only_of_its_kinds(stage: Stage) -> None:
    await add_job(stage)
    assert await JobQueue(stage.main, stage.new_id()).claim("import") is None
    owner = await stage.worker()
    assert await JobQueue(stage.main, owner).claim("audience_slice") is None
    await stage.main.execute("UPDATE worker SET alive_until = app.now() - interval '1 second'")
    assert await JobQueue(stage.main, owner).claim("import") is None


async def test_a_retired_worker_s_job_goes_to_another_and_the_first_can_end_it_no_more(stage: Stage) -> None:
    job_id = await add_job(stage)
    first, second = JobQueue(stage.main, dead := await stage.worker()), JobQueue(stage.main, await stage.worker())
    lost = await first.claim("import")
    assert lost is not None
    assert await chores.release_jobs(stage.main) == 0
    await stage.main.execute("UPDATE worker SET reaped_at = app.now() WHERE owner = $1", dead)
    assert await chores.release_jobs(stage.main) == 1
    again = await second.claim("import")
    assert again is not None
    assert again.epoch == lost.epoch + 1
    assert not await first.done(lost)
    assert not await first.fail(lost, "late", None)
    assert await second.done(again)
    assert await state(stage, job_id) == "done"


async def test_jobs_about_one_thing_go_to_several_workers(stage: Stage) -> None:
    owners = [await stage.worker() for _ in range(2)]
    await ResealJobs(stage.main, stage.new_id).ask(stage.account_id)
    first, second = (JobQueue(stage.main, owner) for owner in owners)
    mine = await first.claim("reseal")
    assert mine is not None
    assert await first.claim("reseal") is None
    theirs = await second.claim("reseal")
    assert theirs is not None
    assert (theirs.subject_id, theirs.job_id != mine.job_id) == (mine.subject_id, True)
    assert await second.done(theirs)
    assert (latest := await ResealJobs(stage.main, stage.new_id).latest(stage.account_id))
    assert latest.state == "leased"


async def test_one_worker_is_asked_once_and_not_again_while_that_waits(stage: Stage) -> None:
    jobs = ResealJobs(stage.main, stage.new_id)
    for _ in range(2):
        await jobs.ask(stage.account_id)
    assert await stage.main.fetchval("SELECT count(*) FROM job WHERE kind = 'reseal'") == 1


async def test_a_failed_job_waits_and_a_postponed_one_does_not_count_its_attempt(stage: Stage) -> None:
    await add_job(stage)
    queue = JobQueue(stage.main, await stage.worker())
    job = await queue.claim("import")
    assert job is not None
    assert await queue.postpone(job, "away", 0)
    job = await queue.claim("import")
    assert job is not None
    assert job.attempts == 1
    assert await queue.fail(job, "broken", 60)
    assert await queue.claim("import") is None
    row = await stage.main.fetchrow("SELECT state, error FROM job")
    assert tuple(row or ()) == ("ready", "broken")


async def test_strays_of_a_claim_with_a_lost_answer_are_given_back(stage: Stage) -> None:
    known, stray = await add_job(stage), await add_job(stage)
    queue = JobQueue(stage.main, await stage.worker())
    await queue.claim("import")
    await queue.claim("import")
    await queue.give_back_strays({known})
    assert (await state(stage, known), await state(stage, stray)) == ("leased", "ready")


async def test_the_loop_does_jobs_of_every_kind_until_it_is_stopped(
    stage: Stage, clock: Clock, new_id: IdSource
) -> None:
    stop, done = asyncio.Event(), []
    long_import = asyncio.Event()

    async def imports(job: Job) -> None:
        done.append(job.kind)
        await long_import.wait()

    async def slices(job: Job) -> None:
        done.append(job.kind)
        if done.count("audience_slice") == 5:
            stop.set()
            long_import.set()

    jobs = [await add_job(stage, "import") for _ in range(3)]
    jobs += [await add_job(stage, "audience_slice") for _ in range(5)]
    handlers = {"import": imports, "audience_slice": slices}
    async with lease(stage.main, clock, new_id).kept() as kept:
        await work(main=stage.main, lease=kept, handlers=handlers, stop=stop, idle_seconds=0.01)
    # Long imports took their own two slots and held up no slice; the third was not begun after the stop.
    assert sorted(done) == ["audience_slice"] * 5 + ["import"] * 2
    assert [await state(stage, job) for job in jobs].count("done") == 7


async def test_a_job_that_fails_is_tried_again_and_a_bad_one_is_not(
    stage: Stage, clock: Clock, new_id: IdSource
) -> None:
    stop, calls = asyncio.Event(), []
    bad, broken = await add_job(stage, "import"), await add_job(stage, "audience_slice")

    def note(job: Job) -> None:
        calls.append(job.kind)
        if len(calls) == 2:
            stop.set()

    async def refuse(job: Job) -> None:
        note(job)
        raise InvalidInput("The file is no CSV")

    async def fail(job: Job) -> None:
        note(job)
        raise RuntimeError

    handlers = {"import": refuse, "audience_slice": fail}
    async with lease(stage.main, clock, new_id).kept() as kept:
        await work(main=stage.main, lease=kept, handlers=handlers, stop=stop, slots=1, idle_seconds=0.01)
    assert sorted(calls) == ["audience_slice", "import"]
    assert (await state(stage, broken), await state(stage, bad)) == ("ready", "failed")
    assert await stage.main.fetchval("SELECT error FROM job WHERE job_id = $1", bad) == "The file is no CSV"


async def test_a_job_that_fails_too_often_is_given_up(stage: Stage, clock: Clock, new_id: IdSource) -> None:
    stop, job_id = asyncio.Event(), await add_job(stage)
    await stage.main.execute("UPDATE job SET attempts = $1", MOST_ATTEMPTS - 1)

    async def fail(job: Job) -> None:
        stop.set()
        raise RuntimeError

    async with lease(stage.main, clock, new_id).kept() as kept:
        await work(main=stage.main, lease=kept, handlers={"import": fail}, stop=stop, idle_seconds=0.01)
    assert await state(stage, job_id) == "failed"


async def test_a_vault_that_is_away_costs_no_attempt(stage: Stage, clock: Clock, new_id: IdSource) -> None:
    stop, job_id = asyncio.Event(), await add_job(stage)

    async def unreachable(job: Job) -> None:
        stop.set()
        raise ConnectionRefusedError

    async with lease(stage.main, clock, new_id).kept() as kept:
        await work(main=stage.main, lease=kept, handlers={"import": unreachable}, stop=stop, idle_seconds=0.01)
    row = await stage.main.fetchrow("SELECT state, attempts FROM job WHERE job_id = $1", job_id)
    assert tuple(row or ()) == ("ready", 0)


async def test_a_lost_lease_drops_everything(stage: Stage, clock: Clock, new_id: IdSource) -> None:
    stop, ended = asyncio.Event(), asyncio.Event()
    await add_job(stage)
    async with lease(stage.main, clock, new_id).kept() as kept:

        async def lose(job: Job) -> None:
            kept.lost.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        with pytest.raises(Superseded):
            await work(main=stage.main, lease=kept, handlers={"import": lose}, stop=stop, idle_seconds=0.01)
    assert ended.is_set()


async def test_a_worker_with_nothing_to_do_asks_once_a_turn_for_all_its_kinds(stage: Stage, new_id: IdSource) -> None:
    stop, asked = asyncio.Event(), 0

    async def never(job: Job) -> None:
        raise AssertionError(job.kind)

    class Alive:
        owner = new_id()
        lost = asyncio.Event()

        def alive(self) -> bool:
            nonlocal asked
            asked += 1
            asyncio.get_running_loop().call_soon(stop.set)
            return True

    handlers = dict.fromkeys(("import", "export", "preview", "reseal", "audience_slice"), never)
    await work(main=stage.main, lease=Alive(), handlers=handlers, stop=stop, idle_seconds=0.01)
    assert asked == 1
