"""kill -9 at every step of an event's way through the spool: what was answered is in the tables, and once."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from core.ids import IdSource
from deploy.dsns import Dsns
from tests.support.runs import Run, make_run
from tests.support.tracker_process import AFTER_THE_SYNC, BEFORE_THE_WRITE, PLACES, Tracker, tracker_process
from tests.support.waiting import eventually
from tests.support.wire import Wire, wire_to
from tracking.spool import measure
from tracking.verify import verify

RECIPIENTS = 50
UNSUBSCRIBED = 30
"""From this recipient on they unsubscribe, the others open."""


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    """A client for all trackers: to make one takes longer than what is asked here."""
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)) as made:
        yield made


async def ask(web: httpx.AsyncClient, tracker: Tracker, run: Run, seq: int, answered: Counter[int]) -> None:
    """Open or unsubscribe, and note it if it was answered for."""
    method, path = ("POST", run.unsubscribe_path(seq)) if seq >= UNSUBSCRIBED else ("GET", run.open_path(seq))
    try:
        answer = await web.request(method, f"http://127.0.0.1:{tracker.port}{path}")
    except httpx.TransportError:
        return
    assert answer.status_code in {200, 503}
    answered[seq] += answer.status_code == 200


async def emptied(spool: Path) -> None:
    async def empty() -> bool:
        return measure(spool).files == 0

    await eventually(empty)


async def stored(main: asyncpg.Pool, run: Run) -> Counter[int]:
    rows = await main.fetch("SELECT seq, count(*) AS count FROM event WHERE run_id = $1 GROUP BY seq", run.run_id)
    return Counter({row["seq"]: row["count"] for row in rows})


async def killed_at(web: httpx.AsyncClient, place: str, run: Run, wire: Wire, spool: Path) -> Counter[int]:
    """Ask while Postgres is away, kill where it stands still, let another go on; return what was answered for."""
    answered: Counter[int] = Counter()
    async with tracker_process(wire.dsn, spool, place) as tracker:
        wire.cut()
        asking = [asyncio.create_task(ask(web, tracker, run, seq, answered)) for seq in range(1, RECIPIENTS + 1)]
        if place in {BEFORE_THE_WRITE, AFTER_THE_SYNC}:
            assert await tracker.says() == place
        else:
            await asyncio.gather(*asking)
            assert sum(answered.values()) == RECIPIENTS
            wire.mend()
            assert await tracker.says() == place
        await tracker.kill()
        await asyncio.gather(*asking)
    wire.mend()
    async with tracker_process(wire.dsn, spool):
        await emptied(spool)
    return answered


async def test_a_tracker_killed_at_any_step_of_the_spool_loses_and_doubles_nothing(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path, web: httpx.AsyncClient
) -> None:
    for place in PLACES:
        run = await make_run(main, new_id, recipients=RECIPIENTS, chunk_state="done")
        async with wire_to(dsns.main_tracker) as wire:
            answered = await killed_at(web, place, run, wire, tmp_path / place)
        found = await stored(main, run)
        assert set(answered) <= set(found), place
        assert set(found.values()) <= {1}, place
        if place == BEFORE_THE_WRITE:
            assert not found
        elif place != AFTER_THE_SYNC:
            assert found == answered
        stops = await main.fetchval("SELECT count(*) FROM stop WHERE account_id = $1", run.account_id)
        assert stops == sum(seq >= UNSUBSCRIBED for seq in found)
        (check,) = await verify(main, run.run_id)
        assert {fault.law for fault in check.faults} <= {"waiting_are_covered"}


async def test_kills_and_a_postgres_that_comes_and_goes_lose_nothing_and_double_nothing(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path, web: httpx.AsyncClient
) -> None:
    await chaos(web, main, dsns, await make_run(main, new_id, recipients=400), tmp_path, rounds=2)


@pytest.mark.chaos
async def test_fifty_kills_under_load_lose_nothing_and_double_nothing(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path, web: httpx.AsyncClient
) -> None:
    await chaos(web, main, dsns, await make_run(main, new_id, recipients=10_000), tmp_path, rounds=50)


async def chaos(web: httpx.AsyncClient, main: asyncpg.Pool, dsns: Dsns, run: Run, spool: Path, *, rounds: int) -> None:
    """Each recipient asks once, of a tracker that is killed at any moment while the wire is cut and mended."""
    chance = random.Random(rounds)
    answered: Counter[int] = Counter()
    seqs = iter(range(1, len(run.members) + 1))
    async with wire_to(dsns.main_tracker) as wire:
        for _ in range(rounds):
            async with tracker_process(wire.dsn, spool) as tracker:
                asking: list[asyncio.Task[None]] = []
                for turn in range(8):
                    asking += [asyncio.create_task(ask(web, tracker, run, next(seqs), answered)) for _ in range(20)]
                    await asyncio.wait(asking, timeout=chance.uniform(0.02, 0.2))
                    if turn in {2, 5}:
                        (wire.cut if turn == 2 else wire.mend)()
                await tracker.kill()
                await asyncio.gather(*asking)
            wire.mend()
        async with tracker_process(wire.dsn, spool):
            await emptied(spool)
    found = await stored(main, run)
    assert set(answered) <= set(found)
    assert set(found.values()) <= {1}
    assert sum(answered.values()) > 50 * rounds
    assert measure(spool).damaged == 0
