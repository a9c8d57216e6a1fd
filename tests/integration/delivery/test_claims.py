"""Whose turn it is: claims by virtual time, by rate, and beside what a worker has in hand."""

from itertools import pairwise

import asyncpg
import pytest

from core.ids import IdSource
from delivery.claiming import READ_AT_ONCE, together
from delivery.queue import Claim, Queue
from tests.support.delivery import Arranged, a_worker, arrange_run
from tests.support.postgres import shift_clock


async def at(main: asyncpg.Pool, run: Arranged, vtime: float) -> None:
    await main.execute("UPDATE lane SET vtime = $2 WHERE run_id = $1", run.run_id, vtime)


async def vtime_of(main: asyncpg.Pool, run: Arranged) -> float:
    return float(await main.fetchval("SELECT vtime FROM lane WHERE run_id = $1", run.run_id))


def names(count: int) -> list[str]:
    return [f"m{n}@example.jp" for n in range(count)]


@pytest.mark.parametrize(("per_hour", "size"), [(3_600, 1), (36_000, 10), (5_000, 1), (40, 1)])
async def test_a_slow_lane_is_claimed_exactly_at_its_rate(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource, per_hour: int, size: int
) -> None:
    """Two workers ask in turn, every half second for ten minutes of the database's clock."""
    run = await arrange_run(main, new_id, names(per_hour // 6 + 50), chunk=size, rate_per_hour=per_hour)
    queues = [Queue(main, await a_worker(main, new_id, 1e6), "bulk") for _ in range(2)]
    claimed = 0
    asked = []
    for step in range(1_200):
        while claims := await queues[step % 2].claim(mixed=True):
            claimed += sum(claim.size for claim in claims)
        asked.append(await main.fetchval("SELECT app.now()"))
        await shift_clock(main_owner, 0.5)
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(asked)]
    # A lane that stood for two seconds makes up for nothing; so a machine that holds us up as long may take that away.
    least, most = (per_hour / 3_600 * sum(some) for some in ([wait for wait in waits if wait < 2], waits))
    # The first chunk goes at once.
    assert least - 2 * size <= claimed <= most + 2 * size
    assert await main.fetchval("SELECT EXISTS (SELECT FROM chunk WHERE run_id = $1 AND state = 'ready')", run.run_id)


async def test_a_worker_with_enough_in_hand_begins_with_whoever_s_turn_it_is_and_no_other(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    in_hand, due, ahead = [await arrange_run(main, new_id, names(100), chunk=10) for _ in range(3)]
    for run, vtime in ((in_hand, 50.0), (due, 50.0), (ahead, 51.0)):
        await at(main, run, vtime)
    queue = Queue(main, await a_worker(main, new_id), "bulk")
    claims = await queue.claim(mixed=True, besides={in_hand.run_id}, most=8)
    assert [claim.run_id for claim in claims] == [due.run_id]
    # Its charge has put it behind: now both wait for the one in hand.
    assert await queue.claim(mixed=True, besides={in_hand.run_id}, most=8) == []
    await at(main, in_hand, 51.0)
    claims = await queue.claim(mixed=True, besides={in_hand.run_id}, most=8)
    assert {claim.run_id for claim in claims} == {due.run_id, ahead.run_id}


async def test_a_slow_lane_in_hand_keeps_nobody_waiting(main: asyncpg.Pool, new_id: IdSource) -> None:
    slow = await arrange_run(main, new_id, names(100), chunk=1, rate_per_hour=3_600)
    new = await arrange_run(main, new_id, names(100), chunk=10)
    await at(main, new, 1e6)
    queue = Queue(main, await a_worker(main, new_id), "bulk")
    [claim] = await queue.claim(mixed=True, besides={slow.run_id}, most=8)
    assert claim.run_id == new.run_id


async def test_a_lane_takes_its_place_beside_those_that_compete_not_where_a_slow_one_stands(
    main: asyncpg.Pool, new_id: IdSource
) -> None:
    async def least() -> float | None:
        found: float | None = await main.fetchval("SELECT app.least_vtime('bulk')")
        return found

    assert await least() is None
    for kind in ("rated", "later", "site"):
        run = await arrange_run(main, new_id, names(5), rate_per_hour=60 if kind == "rated" else None)
        await at(main, run, 1.0)
        if kind == "later":
            await main.execute("UPDATE chunk SET not_before = app.now() + interval '1 h' WHERE run_id = $1", run.run_id)
        if kind == "site":
            await main.execute("INSERT INTO site (digest) VALUES ($1) ON CONFLICT DO NOTHING", b"d" * 16)
            site = await main.fetchval("SELECT max(site_id) FROM site")
            await main.execute("UPDATE chunk SET site_id = $2 WHERE run_id = $1", run.run_id, site)
    for vtime in (900.0, 800.0):
        await at(main, await arrange_run(main, new_id, names(5)), vtime)
    assert await least() == 800.0


async def test_what_is_claimed_of_each_lane_is_as_its_weight(main: asyncpg.Pool, new_id: IdSource) -> None:
    runs = {weight: await arrange_run(main, new_id, names(900), chunk=10, weight=weight) for weight in (1, 2, 3)}
    queue = Queue(main, await a_worker(main, new_id), "bulk")
    claimed = dict.fromkeys(runs, 0)
    for _ in range(120):
        [claim] = await queue.claim(mixed=True)
        weight = next(weight for weight, run in runs.items() if run.run_id == claim.run_id)
        claimed[weight] += claim.size
    assert claimed == {1: 200, 2: 400, 3: 600}
    assert len({round(await vtime_of(main, run)) for run in runs.values()}) == 1


def _claim(new_id: IdSource, size: int) -> Claim:
    run, account, content = new_id.many(3)
    return Claim(1, run, account, content, "campaign", False, 1, 1, size, None, size)


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ([], []),
        ([20] * 32, [[20] * 32]),
        ([READ_AT_ONCE, 20, 20], [[READ_AT_ONCE], [20, 20]]),
        ([600, 600, 400, 5_000, 1], [[600], [600, 400], [5_000], [1]]),
    ],
)
def test_small_chunks_are_opened_together_and_large_ones_alone(
    new_id: IdSource, sizes: list[int], parts: list[list[int]]
) -> None:
    made = together([_claim(new_id, size) for size in sizes])
    assert [[claim.size for claim in part] for part in made] == parts
