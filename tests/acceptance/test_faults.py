"""Faults on real processes: what is killed in mid-run loses nothing and sends nothing twice."""

import asyncio
import os
import signal
import sys
from collections import Counter
from itertools import cycle

from core.ids import decode
from core.settings import inherited_environment
from deploy import roles
from tests.acceptance.ledger import CONNECTIONS, check_ledger
from tests.support.postgres import directory_for_postgres
from tests.support.service import Service, running_service, soon
from tests.support.waiting import eventually


async def test_killing_a_worker_ten_times_in_mid_run_loses_nothing_and_sends_nothing_twice() -> None:
    async with running_service() as service:
        addresses = [f"member{n}@example.jp" for n in range(6_000)]
        await service.import_members(addresses)
        campaign = await service.campaign(at="now", rate_per_hour=100 * 3_600)
        await service.accepted_at_least(50)
        names = cycle(["worker-bulk-0", "worker-bulk-1"])
        for _ in range(10):
            name = next(names)
            pid = service.pid(name)
            os.kill(pid, signal.SIGKILL)
            await service.replaced(name, pid)
        assert await service.state(campaign) == "running", "the run was over before the tenth kill"
        await service.main_owner.execute("UPDATE lane SET rate_per_hour = NULL, next_claim_at = '-infinity'")
        await service.reaches(campaign, "finished", within=90)
        await check_ledger(service, campaign, addresses, kills=10)


async def test_postgres_killed_in_mid_run_comes_back_and_the_run_goes_on_by_itself() -> None:
    async with running_service() as service:
        addresses = [f"member{n}@example.jp" for n in range(1_500)]
        await service.import_members(addresses)
        campaign = await service.campaign(at="now", rate_per_hour=300 * 3_600)
        await service.accepted_at_least(100)
        workers = [service.pid("worker-bulk-0"), service.pid("worker-bulk-1")]
        pid = service.pid("postgres")
        os.kill(pid, signal.SIGKILL)
        await service.replaced("postgres", pid)
        await eventually(lambda: _answers(service, campaign), within=30, step=0.2)
        await service.reaches(campaign, "finished", within=90)
        await check_ledger(service, campaign, addresses, kills=0)
        assert [service.pid("worker-bulk-0"), service.pid("worker-bulk-1")] == workers


async def _answers(service: Service, campaign: str) -> bool:
    try:
        return (await service.client.get(f"/v1/campaigns/{campaign}")).is_success
    except OSError:
        return False


async def test_pause_and_cancel_take_hold_in_mid_run() -> None:
    async with running_service() as service:
        addresses = [f"member{n}@example.jp" for n in range(20_000)]
        await service.import_members(addresses)
        campaign = await service.campaign(at="now")
        await service.accepted_at_least(500)
        answer = await service.post(f"/v1/campaigns/{campaign}/pause")
        assert answer["state"] == "paused"
        paused = await service.received()
        assert paused.total() < len(addresses)
        await service.post(f"/v1/campaigns/{campaign}/resume")
        await service.accepted_at_least(paused.total() + 500)
        answer = await service.post(f"/v1/campaigns/{campaign}/cancel")
        assert answer["state"] == "cancelled"
        at_answer = await service.received()
        report = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
        assert report["cancelled"] > 0
        assert report["accepted"] + report["cancelled"] == report["snapshot"] == len(addresses)
        await service.verified()
        # Anything that was still on the wire would have been counted as accepted or uncertain by now.
        assert report["accepted"] == at_answer.total() == (await service.received()).total()


async def test_two_schedulers_one_killed_at_the_instant_of_a_start_start_each_campaign_once() -> None:
    async with running_service() as service:
        await service.import_members([f"member{n}@example.jp" for n in range(20)])
        settings, dsns = service.started.settings, service.started.dsns
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.cli", "scheduler"),
            env=roles.environment(roles.SCHEDULER, settings, dsns, inherited_environment()),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert second.stdout is not None
        try:
            assert (await second.stdout.readline()).startswith(b"ready")
            campaigns = [await service.campaign() for _ in range(5)]
            at = soon(5)
            for campaign in campaigns:
                await service.schedule(campaign, at)

            async def first_started() -> bool:
                return bool(
                    await service.main_owner.fetchval("SELECT EXISTS (SELECT FROM run WHERE state <> 'scheduled')")
                )

            await eventually(first_started, step=0.001)
            await service.kill("scheduler")
            for campaign in campaigns:
                await service.reaches(campaign, "finished")
        finally:
            second.terminate()
            await second.wait()
        assert set((await service.received()).values()) == {5}
        assert await service.main_owner.fetchval("SELECT count(*) FROM run") == 5
        for campaign in campaigns:
            report = await service.get(f"/v1/reports/campaigns/{campaign}")
            assert report["total"]["accepted"] == 20
            assert len(report["runs"]) == 1
            assert report["runs"][0]["lateness_ms"] < 5_000  # how late exactly: make bench
        await service.verified()


async def test_an_unsubscribe_in_mid_run_stops_what_is_not_yet_intended_retries_included() -> None:
    async with running_service(retry_first=3, retry_cap=3) as service:
        deferred = [f"defer-451-once.{n}@example.jp" for n in range(10)]
        plain = [f"member{n}@example.jp" for n in range(10)]
        await service.import_members([*plain, *deferred])
        # An earlier run, to have everyone's one-click address; the deferred ones come at its second try.
        first = await service.campaign(at="now")
        await service.reaches(first, "finished")
        urls = await service.one_click_urls()

        more = [f"defer-451.{n}@example.jp" for n in range(10)]
        await service.import_members(more)
        second = await service.campaign(at="now", rate_per_hour=3_600 * 5)
        await service.accepted_at_least(20 + 3)
        answers = await asyncio.gather(*(service.client.post(url) for url in urls.values()))
        assert {answer.status_code for answer in answers} == {200}
        at_answer = await service.received()
        run = decode("run", (await service.get(f"/v1/campaigns/{second}"))["run"])

        async def plain_ones_are_through() -> bool:
            left: int = await service.main_owner.fetchval(
                "SELECT count(*) FROM recipient r WHERE run_id = $1 AND NOT EXISTS "
                "(SELECT FROM result s WHERE s.run_id = r.run_id AND s.seq = r.seq) AND NOT EXISTS "
                "(SELECT FROM omission o WHERE o.run_id = r.run_id AND o.seq = r.seq)",
                run,
            )
            return left == 0

        await eventually(plain_ones_are_through)
        after = await service.received()
        late = Counter(after) - Counter(at_answer)
        assert late.total() <= 2 * CONNECTIONS  # intended before the answer
        suppressed = await service.main_owner.fetchval("SELECT count(*) FROM omission WHERE run_id = $1", run)
        assert suppressed >= 20 - 3 - 2 * CONNECTIONS
        assert suppressed + after.total() - 20 == 20
        await service.post(f"/v1/campaigns/{second}/cancel")
        await service.reaches(second, "cancelled")
        await service.verified()


async def test_stopping_everything_in_mid_run_takes_less_than_ten_seconds_and_loses_nothing() -> None:
    addresses = [f"member{n}@example.jp" for n in range(3_000)]
    with directory_for_postgres() as directory:
        async with running_service(data_dir=directory) as service:
            await service.import_members(addresses)
            await service.campaign(at="now", rate_per_hour=500 * 3_600)
            await service.accepted_at_least(200)
            loop = asyncio.get_running_loop()
            before = loop.time()
            await service.installation.stop()
            assert loop.time() - before < 10
        async with running_service(data_dir=directory) as service:

            async def finished() -> bool:
                return bool(await service.main_owner.fetchval("SELECT state = 'finished' FROM run"))

            await eventually(finished, within=60)
            (check,) = await service.verified()
            assert check.counts["accepted"] == len(addresses)
            assert await service.received() == Counter(addresses)
