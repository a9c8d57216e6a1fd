"""Daily caps of a source over all workers."""

import asyncio
from random import Random

import asyncpg
import pytest

from delivery.pacing.caps import Caps
from delivery.pacing.wants import Pair
from tests.support.postgres import shift_clock


@pytest.fixture
def caps(main: asyncpg.Pool) -> Caps:
    return Caps(main)


async def test_eight_workers_that_race_never_pass_the_cap_and_reach_it(
    main: asyncpg.Pool, caps: Caps, pair: Pair
) -> None:
    source_id, cap = pair[0], 500

    async def work(random: Random) -> int:
        sent = 0
        for _ in range(12):
            day, reserved = await caps.reserve(source_id, cap, random.randint(1, 20))
            used = random.randint(0, reserved)
            await caps.give_back(source_id, day, reserved - used)
            sent += used
            granted = await main.fetchval("SELECT granted FROM source_day")
            assert granted <= cap
        while (reserved := (await caps.reserve(source_id, cap, 7)).messages) > 0:
            sent += reserved
        return sent

    assert sum(await asyncio.gather(*(work(Random(number)) for number in range(8)))) == cap
    assert await main.fetchval("SELECT granted FROM source_day") == cap


async def test_the_next_day_begins_at_midnight_utc(main_owner: asyncpg.Pool, caps: Caps, pair: Pair) -> None:
    today, all_of_it = await caps.reserve(pair[0], 10, 100)
    assert (all_of_it, (await caps.reserve(pair[0], 10, 1)).messages) == (10, 0)
    left = await main_owner.fetchval(
        "SELECT extract(epoch FROM date_trunc('day', app.now() AT TIME ZONE 'UTC') + interval '1 day' "
        "- (app.now() AT TIME ZONE 'UTC'))::float"
    )
    await shift_clock(main_owner, left + 1)
    tomorrow, fresh = await caps.reserve(pair[0], 10, 4)
    assert ((tomorrow - today).days, fresh) == (1, 4)
    # What is left of yesterday is nothing for today.
    await caps.give_back(pair[0], today, 10)
    assert (await caps.reserve(pair[0], 10, 100)).messages == 6


async def test_a_cap_that_is_lowered_during_the_day_leaves_nothing(caps: Caps, pair: Pair) -> None:
    await caps.reserve(pair[0], 100, 60)
    assert (await caps.reserve(pair[0], 50, 10)).messages == 0
    assert (await caps.reserve(pair[0], 65, 10)).messages == 5
