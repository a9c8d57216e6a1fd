import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.errors import Unavailable
from core.ids import IdSource
from deploy.dsns import Dsns
from tests.support.postgres import Server
from tests.support.runs import Run, make_run
from tests.support.tracker import tracker
from tests.support.wire import Wire, wire_to
from tracking import meters, tallies
from tracking.event import Event
from tracking.intake import Intake, Pace
from tracking.verify import verify

SHORT = Pace(patience=0.3)


async def counted(main: asyncpg.Pool, run: Run) -> dict[tuple[str, int], tuple[int, int]]:
    return {(t.kind, t.link): (t.total, t.people) for t in await tallies.read(main, [run.run_id])}


@asynccontextmanager
async def tracker_through(wire: Wire, pace: Pace | None = None) -> AsyncIterator[httpx.AsyncClient]:
    pool = await open_pool(wire.dsn, name="tracker")
    try:
        async with tracker(pool, pace) as web:
            yield web
    finally:
        await close_pool(pool)


async def test_five_hundred_opens_at_once_are_counted_exactly(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    sent = await make_run(main, new_id, recipients=100)
    async with tracker(main_tracker) as web:
        answers = await asyncio.gather(*(web.get(sent.open_path(1 + n % 100)) for n in range(500)))
    assert {answer.status_code for answer in answers} == {200}
    assert await counted(main, sent) == {("open", -1): (500, 100)}
    assert await main.fetchval("SELECT count(*) FROM ingest_batch") < 100
    assert [check.faults for check in await verify(main)] == [()]


async def test_two_trackers_that_meet_on_the_same_people_count_each_once(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource
) -> None:
    sent = await make_run(main, new_id, recipients=50)
    paths = [sent.click_path(1 + n % 50, n % 3) for n in range(300)] + [sent.unsubscribe_path(n) for n in range(1, 51)]

    async def one(order: list[str]) -> None:
        pool = await open_pool(dsns.main_tracker, name="tracker")
        async with tracker(pool) as web:
            calls = (web.post(path) if path.startswith("/u") else web.get(path) for path in order)
            assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200, 302}
        await close_pool(pool)

    await asyncio.gather(one(paths), one(paths[::-1]))
    found = await counted(main, sent)
    assert found["click", -1] == (600, 50)
    assert [found["click", n][0] for n in range(3)] == [200, 200, 200]
    assert found["unsubscribe", -1] == (100, 50)
    assert await main.fetchval("SELECT count(*) FROM stop") == 50
    assert [check.faults for check in await verify(main)] == [()]


async def test_a_connection_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    main: asyncpg.Pool,
    main_owner: asyncpg.Pool,
    main_tracker: asyncpg.Pool,
    dsns: Dsns,
    postgres_server: Server,
    new_id: IdSource,
) -> None:
    sent = await make_run(main, new_id, recipients=50)
    admin = await asyncpg.connect(
        urlunsplit(urlsplit(postgres_server.postgres.superuser_dsn)._replace(path=urlsplit(dsns.main).path))
    )
    async with main_owner.acquire() as blocker, tracker(main_tracker) as web:
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("LOCK TABLE first_event IN EXCLUSIVE MODE")
        calls = [asyncio.create_task(web.get(sent.open_path(1 + n % 50))) for n in range(100)]
        killed: set[int] = set()
        while len(killed) < 3:
            killed |= {
                row["pid"]
                for row in await admin.fetch(
                    "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
                )
            }
        await transaction.rollback()
        answers = await asyncio.gather(*calls)
    await admin.close()
    assert {answer.status_code for answer in answers} == {200}
    assert await counted(main, sent) == {("open", -1): (100, 50)}
    assert await main.fetchval("SELECT count(*) FROM event") == 100


async def test_a_commit_whose_answer_was_lost_is_not_stored_twice(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource
) -> None:
    sent = await make_run(main, new_id, recipients=2)
    async with wire_to(dsns.main_tracker) as wire, tracker_through(wire) as web:
        await web.get(sent.open_path(1))
        wire.lose_answer_with(b"SELECT 0")
        answers = await asyncio.gather(
            *(web.get(sent.open_path(2)) for _ in range(20)), web.post(sent.unsubscribe_path(2))
        )
        assert wire.answers_lost == 1
    assert {answer.status_code for answer in answers} == {200}
    assert await counted(main, sent) == {("open", -1): (21, 2), ("unsubscribe", -1): (1, 1)}
    assert await main.fetchval("SELECT count(*) FROM event") == 22
    assert [check.faults for check in await verify(main)] == [()]


async def test_events_wait_for_a_database_that_comes_back(main: asyncpg.Pool, dsns: Dsns, new_id: IdSource) -> None:
    sent = await make_run(main, new_id, recipients=2)
    async with wire_to(dsns.main_tracker) as wire, tracker_through(wire) as web:
        wire.cut()
        answer = asyncio.create_task(web.post(sent.unsubscribe_path(1)))
        await asyncio.wait({answer}, timeout=0.2)
        assert not answer.done()
        wire.mend()
        assert (await answer).status_code == 200
    assert await main.fetchval("SELECT count(*) FROM stop") == 1


async def test_while_the_database_is_away_readers_are_served_and_no_unsubscribe_is_confirmed_falsely(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource
) -> None:
    sent, other = await make_run(main, new_id), await make_run(main, new_id)
    async with wire_to(dsns.main_tracker) as wire, tracker_through(wire, SHORT) as web:
        await web.get(sent.click_path(1))
        lost = meters.LOST["open"]._value.get()
        wire.cut()
        pixel, click, unknown_click, leave, page = await asyncio.gather(
            web.get(sent.open_path(1)),
            web.get(sent.click_path(1, 2)),
            web.get(other.click_path(1)),
            web.post(sent.unsubscribe_path(1)),
            web.get(sent.unsubscribe_path(1)),
        )
        assert (pixel.status_code, pixel.headers["content-type"]) == (200, "image/gif")
        assert (click.status_code, click.headers["location"]) == (302, "http://example.com/#top")
        assert unknown_click.status_code == 503
        assert (leave.status_code, leave.headers["retry-after"]) == (503, "30")
        assert "could not confirm" in leave.text
        assert page.status_code == 200
        assert meters.LOST["open"]._value.get() == lost + 1
        wire.mend()
        assert (await web.post(sent.unsubscribe_path(1))).status_code == 200
    assert await counted(main, sent) == {("click", -1): (1, 1), ("click", 0): (1, 1), ("unsubscribe", -1): (1, 1)}


async def test_a_full_queue_refuses_at_once(main: asyncpg.Pool, dsns: Dsns, new_id: IdSource) -> None:
    sent = await make_run(main, new_id)
    pace = Pace(events=1, queue=3, patience=0.5)
    async with wire_to(dsns.main_tracker) as wire, tracker_through(wire, pace) as web:
        wire.cut()
        calls = [asyncio.create_task(web.post(sent.unsubscribe_path(1))) for _ in range(10)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) < len(calls)
        assert {task.result().status_code for task in done} == {503}
        assert {answer.status_code for answer in await asyncio.gather(*calls)} == {503}


async def test_what_was_taken_in_is_written_before_the_tracker_ends(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    sent, clock = await make_run(main, new_id), SystemClock()
    async with Intake(main_tracker, clock=clock, new_id=IdSource(clock)) as intake:
        calls = [asyncio.create_task(intake.record(Event(sent.run_id, 1, "open"))) for _ in range(2_500)]
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    assert await counted(main, sent) == {("open", -1): (2_500, 1)}
    assert not intake.alive
    with pytest.raises(Unavailable):
        await intake.record(Event(sent.run_id, 1, "open"))


async def test_a_reader_who_goes_away_does_not_disturb_the_others(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    sent = await make_run(main, new_id)
    async with tracker(main_tracker) as web:
        calls = [asyncio.create_task(web.get(sent.open_path(1 + n % 3))) for n in range(30)]
        await asyncio.sleep(0)
        for call in calls[::3]:
            call.cancel()
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, httpx.Response) for answer in answers) == 20
    total, people = (await counted(main, sent))["open", -1]
    assert 20 <= total <= 30
    assert people <= 3
    assert [check.faults for check in await verify(main)] == [()]
