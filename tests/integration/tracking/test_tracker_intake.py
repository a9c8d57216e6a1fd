import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
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
from tests.support.tracker import READER, SPOOL_BYTES, tracker
from tests.support.waiting import eventually
from tests.support.wire import Wire, wire_to
from tracking import meters, tallies
from tracking.batches import Batch
from tracking.event import Event
from tracking.intake import Intake, Pace
from tracking.machines import rules
from tracking.spool import Spool, measure
from tracking.verify import verify

RULES = rules.load()
SHORT = Pace(patience=0.3, probe=0.05)


async def counted(main: asyncpg.Pool, run: Run) -> dict[tuple[str, int], tuple[int, int]]:
    return {(t.kind, t.link): (t.total, t.people) for t in await tallies.read(main, [run.run_id])}


@asynccontextmanager
async def tracker_through(
    wire: Wire, pace: Pace | None = None, *, spool: Path | None = None, spool_bytes: int = SPOOL_BYTES
) -> AsyncIterator[httpx.AsyncClient]:
    pool = await open_pool(wire.dsn, name="tracker")
    try:
        async with tracker(pool, pace, spool=spool, spool_bytes=spool_bytes) as web:
            yield web
    finally:
        await close_pool(pool)


async def emptied(spool: Path) -> None:
    async def empty() -> bool:
        return measure(spool).files == 0

    await eventually(empty)


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


async def test_while_the_database_is_away_everything_is_answered_and_kept(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path
) -> None:
    sent, other = await make_run(main, new_id), await make_run(main, new_id)
    async with wire_to(dsns.main_tracker) as wire, tracker_through(wire, SHORT, spool=tmp_path) as web:
        await web.get(sent.click_path(1))
        wire.cut()
        began = await main.fetchval("SELECT app.now()")
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
        assert (leave.status_code, page.status_code) == (200, 303)
        later = await asyncio.gather(*(web.get(sent.open_path(2)) for _ in range(50)))
        assert {answer.status_code for answer in later} == {200}
        assert measure(tmp_path).bytes > 0
        assert await main.fetchval("SELECT count(*) FROM event") == 1
        answered = await main.fetchval("SELECT app.now()")
        wire.mend()
        await emptied(tmp_path)
        assert (await web.get(sent.open_path(3))).status_code == 200
    assert await counted(main, sent) == {
        ("open", -1): (52, 3), ("click", -1): (2, 1), ("click", 0): (1, 1), ("click", 2): (1, 1),
        ("unsubscribe", -1): (1, 1),
    }  # fmt: skip
    # Dated when it happened; heeded from when it was known.
    stop = await main.fetchrow("SELECT occurred_at, known_at FROM stop")
    assert stop is not None
    assert began - timedelta(seconds=0.1) <= stop["occurred_at"] <= answered < stop["known_at"]
    assert [check.faults for check in await verify(main)] == [(), ()]


async def test_a_full_spool_refuses_with_503_and_nothing_is_answered_for_that_is_not_kept(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path
) -> None:
    sent = await make_run(main, new_id)
    async with (
        wire_to(dsns.main_tracker) as wire,
        tracker_through(wire, SHORT, spool=tmp_path, spool_bytes=1_000) as web,
    ):
        await web.get(sent.click_path(1))
        refused = meters.REFUSED["open"]._value.get()
        wire.cut()
        answers = [await web.get(sent.open_path(1)) for _ in range(8)]
        assert [answer.status_code for answer in answers] == sorted(answer.status_code for answer in answers)
        assert {answer.status_code for answer in answers} == {200, 503}
        kept = sum(answer.status_code == 200 for answer in answers)
        assert meters.REFUSED["open"]._value.get() == refused + 8 - kept
        for answer in (await web.get(sent.click_path(1)), await web.post(sent.unsubscribe_path(1))):
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        wire.mend()
        await emptied(tmp_path)
    assert await counted(main, sent) == {("open", -1): (kept, 1), ("click", -1): (1, 1), ("click", 0): (1, 1)}
    assert await main.fetchval("SELECT count(*) FROM stop") == 0


async def test_a_batch_that_postgres_refuses_for_good_is_set_aside_and_holds_up_no_other(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    sent = await make_run(main, new_id)
    agent = RULES.agent(READER.encode())
    kept = Spool(tmp_path, most_bytes=SPOOL_BYTES, new_id=new_id)
    for seq, link in ((1, 0), (2, 1), (3, 2)):
        kind = "click" if seq != 2 else "poison"
        kept.append(Batch(new_id(), [Event(sent.run_id, seq, kind, agent, link)], [0.0]))  # type: ignore[arg-type]
    kept.close()
    async with tracker(main_tracker, spool=tmp_path):
        await emptied(tmp_path)
    assert measure(tmp_path).damaged == 1
    assert (await counted(main, sent))["click", -1] == (2, 2)


async def test_a_full_queue_refuses_at_once(main: asyncpg.Pool, dsns: Dsns, new_id: IdSource) -> None:
    sent = await make_run(main, new_id)
    pace = Pace(events=1, queue=3, patience=0.5)
    async with wire_to(dsns.main_tracker) as wire, tracker_through(wire, pace) as web:
        wire.cut()
        calls = [asyncio.create_task(web.post(sent.unsubscribe_path(1))) for _ in range(10)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) < len(calls)
        assert {task.result().status_code for task in done} == {503}
        assert {answer.status_code for answer in await asyncio.gather(*calls)} == {200, 503}


async def test_what_was_taken_in_is_written_before_the_tracker_ends(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource, tmp_path: Path
) -> None:
    sent = await make_run(main, new_id)
    event = Event(sent.run_id, 1, "open", RULES.agent(READER.encode()))
    spool = Spool(tmp_path, most_bytes=SPOOL_BYTES, new_id=new_id)
    async with Intake(main_tracker, spool, clock=SystemClock(), new_id=new_id) as intake:
        calls = [asyncio.ensure_future(intake.record(event, None)) for _ in range(2_500)]
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    assert await counted(main, sent) == {("open", -1): (2_500, 1)}
    with pytest.raises(Unavailable):
        await intake.record(event, None)


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
