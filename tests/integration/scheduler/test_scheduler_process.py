import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import orjson
import pytest

from core.clock import Clock
from core.database import AWAY, close_pool, open_pool
from core.ids import IdSource
from core.settings import Settings
from deploy.dsns import Dsns
from scheduler.campaigns.fields import Campaign
from scheduler.campaigns.states import State
from scheduler.process import run
from scheduler.webhooks.signing import WebhookKeys
from tests.support.campaigns import Stage, set_up
from tests.support.postgres import Server, running_server
from tests.support.waiting import eventually


@asynccontextmanager
async def scheduler(main: asyncpg.Pool, stops: asyncpg.Pool, clock: Clock) -> AsyncIterator[None]:
    """A scheduler in this process, for the body."""
    stop = asyncio.Event()
    running = asyncio.create_task(
        run(
            settings=Settings(),
            main=main,
            stops_pool=stops,
            webhook_keys=WebhookKeys({1: bytes(32)}, 1),
            clock=clock,
            jitter=lambda: 0.0,
            stop=stop,
        )
    )
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(30):
            await running


@asynccontextmanager
async def scheduler_process(dsns: Dsns) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.scheduler_process", dsns.main, dsns.members_stops),
        cwd=Path(__file__).parents[3],
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def reaches(stage: Stage, campaign: Campaign, state: State) -> None:
    async def there() -> bool:
        return (await stage.run(campaign)).state is state

    await eventually(there)


async def starts_told(process: asyncio.subprocess.Process, *, until: int) -> list[str]:
    """The runs that a scheduler's log says it started, up to `until` of them or its end."""
    assert process.stderr is not None
    told: list[str] = []
    while len(told) < until and (line := await process.stderr.readline()):
        event = orjson.loads(line)
        if event["event"] == "run_started":
            told.append(event["run"])
    return told


async def test_a_campaign_goes_from_its_time_to_its_end_by_itself(
    stage: Stage, stops: asyncpg.Pool, clock: Clock
) -> None:
    await stage.members(10)
    campaign = await stage.scheduled(seconds=1)
    async with scheduler(stage.main, stops, clock):
        await reaches(stage, campaign, State.RUNNING)
        await stage.cut_audiences()
        await stage.end_chunks(campaign)
        await reaches(stage, campaign, State.FINISHED)
    row = await stage.main.fetchrow("SELECT snapshot, started_at >= starts_at AS on_time, finished_at FROM run")
    assert row is not None
    assert (row["snapshot"], row["on_time"], row["finished_at"] is not None) == (10, True, True)


async def test_of_two_scheduler_processes_one_killed_at_the_start_each_campaign_starts_once(
    stage: Stage, dsns: Dsns
) -> None:
    async with scheduler_process(dsns) as doomed, scheduler_process(dsns) as other, asyncio.timeout(30):
        await eventually(connected(stage, 2))
        campaigns = [await stage.scheduled(seconds=2) for _ in range(20)]
        first = asyncio.create_task(starts_told(doomed, until=1))
        second = asyncio.create_task(starts_told(other, until=20))
        await asyncio.wait([first, second], return_when=asyncio.FIRST_COMPLETED)
        doomed.kill()
        for campaign in campaigns:
            await reaches(stage, campaign, State.RUNNING)
        other.kill()
        # One line of the killed process was read already; the pipe still holds what else it said.
        told = [*await first, *await starts_told(doomed, until=20), *await second]
    assert len(told) == len(set(told))
    assert {str(campaign.run_id) for campaign in campaigns} >= set(told)
    lanes = await stage.main.fetch("SELECT state FROM lane")
    assert [row["state"] for row in lanes] == ["running"] * 20


def connected(stage: Stage, schedulers: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many scheduler processes have reached this test's database."""

    async def are() -> bool:
        found: int = await stage.main.fetchval(
            "SELECT count(DISTINCT client_port) FROM pg_stat_activity"
            " WHERE application_name = 'todoku scheduler' AND datname = current_database()"
        )
        return found >= schedulers

    return are


@pytest.fixture
def mortal_server() -> Iterator[Server]:
    with running_server() as server:
        yield server


async def test_a_restart_of_postgres_is_survived(mortal_server: Server, clock: Clock, new_id: IdSource) -> None:
    dsns = mortal_server.templates
    pools = [await open_pool(dsn, name="test") for dsn in (dsns.main, dsns.members, dsns.members_stops)]
    main, vault, stops = pools

    async def answers() -> bool:
        try:
            await main.execute("SELECT 1")
        except AWAY:
            return False
        return True

    try:
        stage = await set_up(main, vault, new_id)
        campaign = await stage.scheduled(seconds=1)
        async with scheduler(main, stops, clock):
            mortal_server.postgres.stop()
            mortal_server.postgres.start()
            await eventually(answers)
            await reaches(stage, campaign, State.RUNNING)
        assert await main.fetchval("SELECT count(*) FROM run WHERE started_at IS NOT NULL") == 1
    finally:
        for pool in pools:
            await close_pool(pool)
