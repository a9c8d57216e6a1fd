"""Permits of one budget among several workers, on a real Postgres."""

import asyncio
from random import Random

import asyncpg
import pytest

from core.database import AWAY, close_pool, open_pool
from delivery.pacing.permits import forget_dead
from deploy.dsns import Dsns
from tests.integration.delivery.pacing.workers import Held, Hire, Limits, Worker
from tests.support.postgres import shift_clock
from tests.support.wire import wire_to


async def settle(*workers: Worker, rounds: int = 3, **asked: object) -> list[int]:
    for _ in range(rounds):
        for worker in workers:
            await worker.ask(**asked)  # type: ignore[arg-type]
    return [len(worker.slots) for worker in workers]


async def test_three_workers_that_race_never_hold_more_than_the_limit_and_end_with_equal_shares(
    main: asyncpg.Pool, hire: Hire, held: Held
) -> None:
    workers = [await hire() for _ in range(3)]
    done = asyncio.Event()
    counts = []

    async def watch() -> None:
        while not done.is_set():
            counts.append(await held())

    async def work(worker: Worker, random: Random) -> None:
        for _ in range(25):
            grant = await worker.ask(random.choice([0, 1, 3, 10, 20]), open=frozenset(worker.slots))
            assert len(grant.slots) <= 10
        for _ in range(25):
            await worker.ask()

    watching = asyncio.create_task(watch())
    await asyncio.gather(*(work(worker, Random(number)) for number, worker in enumerate(workers)))
    done.set()
    await watching
    assert max(counts) <= 10
    assert sorted(await settle(*workers)) == [3, 3, 4]
    assert frozenset().union(*(worker.slots for worker in workers)) == frozenset(range(10))
    assert await held() == 10


async def test_a_worker_alone_has_all_and_gives_half_when_another_comes(hire: Hire) -> None:
    one, other = await hire(), await hire()
    assert await settle(one) == [10]
    assert await settle(one, other) == [5, 5]
    assert not one.slots & other.slots


async def test_what_is_wanted_no_more_is_anybody_s(hire: Hire, held: Held) -> None:
    one, other = await hire(), await hire()
    await settle(one, other)
    await one.ask(0)
    assert await held() == 5
    assert len((await other.ask()).slots) == 10


@pytest.mark.parametrize("death", ["reaped", "out of time"])
async def test_a_dead_worker_s_permits_pass_on(main: asyncpg.Pool, hire: Hire, held: Held, death: str) -> None:
    dead, heir = await hire(), await hire()
    await settle(dead)
    what = "reaped_at = app.now()" if death == "reaped" else "alive_until = app.now()"
    await main.execute(f"UPDATE worker SET {what} WHERE owner = $1", dead.owner)
    assert len((await heir.ask()).slots) == 10
    await dead.ask()
    assert not dead.slots
    assert await held() == 10


async def test_a_worker_that_leaves_leaves_nothing(main: asyncpg.Pool, hire: Hire, held: Held) -> None:
    one, other = await hire(), await hire()
    await settle(one, other)
    await one.permits.give_up([one.pair])
    assert await held() == 5
    await other.permits.release_all()
    assert await held() == 0
    assert await main.fetchval("SELECT count(*) FROM want") == 0


async def test_a_shrink_takes_permits_at_the_next_ask_and_nobody_else_takes_any_before(hire: Hire, held: Held) -> None:
    one, other = await hire(), await hire()
    await settle(one, other)
    small = Limits(4)
    assert await one.ask(limits=small)
    assert one.slots <= {0, 1, 2, 3}
    third = await hire()
    assert not (await third.ask(limits=small)).slots
    assert sum(await settle(one, other, third, limits=small)) == 4
    assert await held() == 4


async def test_a_slot_whose_connection_stands_is_given_to_nobody_before_it_is_closed(hire: Hire) -> None:
    one, other = await hire(), await hire()
    limits = Limits(2)
    await one.ask(limits=limits)
    await other.ask(limits=limits)
    assert len((await one.ask(limits=limits, open=frozenset({0, 1}))).slots) == 1
    assert not (await other.ask(limits=limits)).slots
    await one.ask(limits=limits, open=frozenset({0}))
    assert len((await other.ask(limits=limits)).slots) == 1


async def test_an_ask_that_changes_nothing_waits_for_no_lock(main: asyncpg.Pool, hire: Hire) -> None:
    one, other = await hire(), await hire()
    await settle(one, other)
    async with main.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM pace FOR UPDATE")
        async with asyncio.timeout(5):
            await one.ask(successes=30)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await one.ask(0)
    assert await settle(one, other) == [5, 5]


async def test_crossing_asks_for_many_pairs_never_lock_each_other_out(main: asyncpg.Pool, hire: Hire) -> None:
    workers = [await hire() for _ in range(3)]
    source_id = workers[0].pair[0]
    sites = [
        await main.fetchval("INSERT INTO site (digest) VALUES ($1) RETURNING site_id", bytes([number]) * 16)
        for number in range(1, 21)
    ]

    async def work(worker: Worker, random: Random) -> None:
        for _ in range(15):
            pairs = random.sample([(source_id, site_id) for site_id in sites], 15)
            wants = []
            for worker.pair in pairs:
                wants.append(worker.want(random.randint(0, 10), failures=random.randint(0, 1)))
            grants = await worker.permits.ask(wants)
            assert [grant.pair for grant in grants] == pairs

    await asyncio.gather(*(work(worker, Random(number)) for number, worker in enumerate(workers)))


async def test_a_fast_worker_gets_a_slot_of_those_that_bulk_workers_have(hire: Hire, held: Held) -> None:
    bulk, other, fast = await hire(), await hire(), await hire("fast")
    await settle(bulk, other)
    assert not (await fast.ask(1)).slots
    assert sorted(await settle(bulk, other, rounds=4)) == [4, 5]
    assert len((await fast.ask(1)).slots) == 1
    assert sorted(await settle(bulk, other)) == [4, 5]
    assert await held() == 10
    await fast.ask(0)
    assert await settle(bulk, other) == [5, 5]


async def test_a_slot_that_a_fast_worker_does_not_come_for_goes_back_to_bulk(
    main_owner: asyncpg.Pool, hire: Hire
) -> None:
    bulk, fast = await hire(), await hire("fast")
    await settle(bulk)
    await fast.ask(1)
    assert await settle(bulk) == [9]
    await shift_clock(main_owner, 2.5)
    assert await settle(bulk) == [10]


async def test_the_only_slot_of_a_slow_site_changes_hands_for_fast_mail(hire: Hire) -> None:
    slow = Limits(rate=1.0)
    bulk, fast = await hire(), await hire("fast")
    assert await settle(bulk, limits=slow) == [1]
    await fast.ask(1, slow)
    await bulk.ask(limits=slow)
    assert len((await fast.ask(1, slow)).slots) == 1
    assert not (await bulk.ask(limits=slow)).slots


async def test_feedback_moves_the_slots_of_all_workers(hire: Hire) -> None:
    limits = Limits(10, start=4)
    one, other = await hire(), await hire()
    assert (await one.ask(limits=limits)).of == 4
    assert (await one.ask(limits=limits, successes=4, in_use=True)).of == 5
    assert (await other.ask(limits=limits, successes=5, in_use=True)).of == 6
    assert (await other.ask(limits=limits, failures=1)).of == 5
    assert (await one.ask(limits=limits)).of == 5


async def test_a_site_that_nobody_reaches_is_suspended_for_all_and_returns_with_few_connections(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, hire: Hire, held: Held
) -> None:
    limits = Limits(10, start=4)
    one, other = await hire(), await hire()
    await one.ask(limits=limits, successes=1000, in_use=True)
    assert (await one.ask(limits=limits, successes=1000, in_use=True)).of == 10
    await other.ask(limits=limits, failures=6)
    assert (await one.ask(limits=limits, failures=6)).suspended
    grant = await other.ask(limits=limits, failures=6)
    assert grant.suspended_for == pytest.approx(60, abs=5)
    assert await held() == 0
    assert await main.fetchval("SELECT count(*) FROM restriction WHERE imposed_by = 'unreachable'") == 1
    await shift_clock(main_owner, 61)
    assert (await one.ask(limits=limits)).of <= 4
    # Still dead: twice as long.
    assert (await one.ask(limits=limits, failures=4)).suspended_for == pytest.approx(120, abs=5)
    await shift_clock(main_owner, 121)
    await one.ask(limits=limits, successes=1)
    assert (await one.ask(limits=limits, failures=4)).suspended_for == pytest.approx(60, abs=5)


async def test_a_relay_is_never_found_dead(hire: Hire) -> None:
    worker = await hire()
    grant = await worker.ask(adaptive=False, failures=100)
    assert (len(grant.slots), grant.suspended) == (10, False)


@pytest.mark.parametrize("mark", [b"COMMIT", b"INSERT 0"])
async def test_an_ask_whose_answer_was_lost_is_repeated_without_losing_permits_or_counting_twice(
    main: asyncpg.Pool, dsns: Dsns, hire: Hire, held: Held, mark: bytes
) -> None:
    limits = Limits(5, start=5)
    async with wire_to(dsns.main) as wire:
        through = await open_pool(wire.dsn, name="test", min_size=1, max_size=1)
        try:
            worker = await hire(through=through)
            wire.lose_answer_with(mark)
            with pytest.raises(AWAY):
                await worker.ask(3, limits)
            assert len((await worker.ask(3, limits)).slots) == 3
            assert await held() == 3
            wire.lose_answer_with(b"COMMIT")
            with pytest.raises(AWAY):
                await worker.ask(3, limits, failures=3)
            assert wire.answers_lost == 2
            # Repeated with what was learned meanwhile: three and one make four of a cohort of five, not seven.
            assert not (await worker.ask(3, limits, failures=4)).suspended
            failures = await main.fetchval("SELECT failures FROM pace")
            assert 0.6 <= failures < 1
        finally:
            await close_pool(through)


async def test_a_pair_must_not_be_wanted_twice(hire: Hire) -> None:
    worker = await hire()
    with pytest.raises(ValueError, match="twice"):
        await worker.permits.ask([worker.want(), worker.want()])
    assert await worker.permits.ask([]) == []


async def test_what_killed_workers_left_is_removed_in_time(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, hire: Hire
) -> None:
    dead, alive = await hire(), await hire()
    await settle(dead, alive)
    await main.execute("UPDATE worker SET reaped_at = app.now() WHERE owner = $1", dead.owner)
    await shift_clock(main_owner, 3601)
    await forget_dead(main)
    assert {row["owner"] for row in await main.fetch("SELECT owner FROM want")} == {alive.owner}
    assert {row["owner"] for row in await main.fetch("SELECT owner FROM permit")} == {alive.owner}
