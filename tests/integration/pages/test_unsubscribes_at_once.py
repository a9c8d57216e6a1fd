"""Many who leave at once: few COMMITs for all of them, an answer to each, and nobody's trouble is another's."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from prometheus_client import REGISTRY

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.errors import NotFound, Unavailable
from core.ids import IdSource
from deploy.dsns import Dsns
from tests.integration.pages.reader import Reader, form_of
from tests.support.runs import Run, make_run
from tests.support.waiting import eventually
from tests.support.wire import Wire, wire_to
from tracking import tallies
from tracking.unsubscribes import Pace, Unsubscribes

MANY = 200


@pytest.fixture
async def run(main: asyncpg.Pool, new_id: IdSource) -> Run:
    return await make_run(main, new_id, recipients=MANY)


async def leave(many: Unsubscribes, run: Run, numbers: Iterable[int]) -> list[BaseException | None]:
    """All at once; the error of each, or None."""
    return list(
        await asyncio.gather(
            *(many.leave(run.run_id, number, topic_alone=False) for number in numbers), return_exceptions=True
        )
    )


async def stopped(main: asyncpg.Pool) -> int:
    count: int = await main.fetchval("SELECT count(*) FROM stop")
    return count


def _answers() -> float:
    labels = {"method": "POST", "route": "/u/{token}", "status": "303"}
    return REGISTRY.get_sample_value("todoku_api_requests_total", labels) or 0.0


@asynccontextmanager
async def through(dsn: str, pace: Pace | None = None) -> AsyncIterator[tuple[Wire, Unsubscribes]]:
    async with wire_to(dsn) as wire:
        pool = await open_pool(wire.dsn, name="pages")
        try:
            yield wire, Unsubscribes(pool, SystemClock(), pace)
        finally:
            await close_pool(pool)


async def test_many_are_few_commits_and_each_is_counted_once(
    main: asyncpg.Pool, main_pages: asyncpg.Pool, run: Run
) -> None:
    many = Unsubscribes(main_pages, SystemClock())
    assert await leave(many, run, [*range(1, MANY + 1), 1, 2]) == [None] * (MANY + 2)
    assert await stopped(main) == MANY
    assert await main.fetchval("SELECT count(DISTINCT xmin::text) FROM stop") <= 2
    counted = {one.kind: (one.total, one.people) for one in await tallies.read(main, [run.run_id])}
    assert counted["unsubscribe"] == (MANY + 2, MANY)


async def test_the_button_answers_after_the_commit_only(
    browser: httpx.AsyncClient, main: asyncpg.Pool, main_owner: asyncpg.Pool, reader: Reader
) -> None:
    form = form_of(await browser.get(reader.leaving), reader.leaving, what="all")

    async def held_up() -> bool:
        waiting: int = await main_owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return waiting > 0

    async with main_owner.acquire() as blocker:
        transaction = blocker.transaction()
        await transaction.start()
        await blocker.execute("LOCK TABLE stop IN EXCLUSIVE MODE")
        asked = asyncio.create_task(browser.post(reader.leaving, data=form))
        await eventually(held_up)
        assert not asked.done()
        await transaction.rollback()
    before = _answers()
    assert (await asked).status_code == 303
    assert _answers() == before + 1
    assert await stopped(main) == 1


async def test_who_is_unknown_and_who_fails_do_so_alone(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, main_pages: asyncpg.Pool, run: Run
) -> None:
    await main_owner.execute(f"ALTER TABLE stop ADD CHECK (member_id <> '{run.members[6]}')")
    found = await leave(Unsubscribes(main_pages, SystemClock()), run, [*range(1, 21), MANY + 1, 2**31])
    assert {number: type(error) for number, error in enumerate(found, 1) if error is not None} == {
        7: asyncpg.CheckViolationError,
        21: NotFound,
        22: NotFound,
    }
    assert await stopped(main) == 19
    assert await main.fetchval("SELECT count(*) FROM event") == 19


async def test_a_database_that_is_away_refuses_changes_nothing_and_is_used_again(
    main: asyncpg.Pool, dsns: Dsns, run: Run
) -> None:
    async with through(dsns.main_pages) as (wire, many):
        assert await leave(many, run, [1]) == [None]
        wire.cut()
        assert {type(error) for error in await leave(many, run, range(2, 10))} == {Unavailable}
        assert await stopped(main) == 1
        wire.mend()
        assert await leave(many, run, range(2, 10)) == [None] * 8
    assert await stopped(main) == 9


async def test_a_full_queue_and_a_database_that_takes_too_long_refuse(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, main_pages: asyncpg.Pool, run: Run
) -> None:
    many = Unsubscribes(main_pages, SystemClock(), Pace(queue=3, patience=0.2))
    async with main_owner.acquire() as blocker, blocker.transaction():
        await blocker.execute("LOCK TABLE stop IN EXCLUSIVE MODE")
        found = await leave(many, run, range(1, 6))
    assert [str(error) for error in found[3:]] == ["Too many leave at once"] * 2
    assert {type(error) for error in found} == {Unavailable}
    assert await stopped(main) == 0


async def test_the_button_says_that_nothing_was_changed_while_the_database_is_away(
    browser: httpx.AsyncClient, main: asyncpg.Pool, main_pages: asyncpg.Pool, reader: Reader
) -> None:
    form = form_of(await browser.get(reader.leaving), reader.leaving, what="all")
    await main_pages.close()
    answer = await browser.post(reader.leaving, data=form, headers={"accept-language": "en"})
    assert (answer.status_code, "Nothing was changed" in answer.text) == (503, True)
    assert int(answer.headers["Retry-After"]) > 0
    assert await stopped(main) == 0
