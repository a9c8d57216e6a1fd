"""Numbers of sources and sites, and what is known of tags."""

import asyncio

import asyncpg
import pytest

from delivery.pacing.sites import Sites
from tests.support.postgres import shift_clock


@pytest.fixture
def sites(main: asyncpg.Pool) -> Sites:
    return Sites(main)


async def test_a_name_has_one_number_whoever_asks_first(sites: Sites) -> None:
    numbers = await asyncio.gather(*(sites.source("relay.example:25") for _ in range(4)))
    assert len(set(numbers)) == 1
    assert await sites.source("203.0.113.7") not in numbers


async def test_asking_again_uses_up_no_numbers(main: asyncpg.Pool, sites: Sites) -> None:
    first = await sites.source("one")
    for _ in range(5):
        await sites.source("one")
    assert await sites.source("two") == first + 1


async def test_a_digest_has_one_number_and_takes_the_rule_file_s_latest_name(main: asyncpg.Pool, sites: Sites) -> None:
    numbers = await asyncio.gather(*(sites.number(b"a" * 16, "google") for _ in range(4)))
    assert len(set(numbers)) == 1
    assert 0 not in numbers
    assert await sites.number(b"a" * 16, "gmail") == numbers[0]
    assert await main.fetchval("SELECT provider FROM site WHERE site_id = $1", numbers[0]) == "gmail"
    assert await sites.number(b"b" * 16, None) != numbers[0]


async def test_tags_are_remembered_with_the_site_that_was_found_last(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, sites: Sites
) -> None:
    here, there = await sites.number(b"a" * 16, None), await sites.number(b"b" * 16, None)
    await sites.remember({1: here, -(2**62): here, 3: here})
    await sites.remember({3: there})
    assert await sites.of_tags([3, 1, -(2**62), 99]) == {1: here, -(2**62): here, 3: there}
    await sites.remember({})
    assert await sites.of_tags([]) == {}
    # Confirmed at once it is not written again; a day later it is.
    before = await main.fetchval("SELECT xmin::text FROM destination WHERE tag = 1")
    await sites.remember({1: here})
    assert await main.fetchval("SELECT xmin::text FROM destination WHERE tag = 1") == before
    await shift_clock(main_owner, 90_000)
    await sites.remember({1: here})
    assert await main.fetchval("SELECT xmin::text FROM destination WHERE tag = 1") != before


async def test_batches_that_cross_never_lock_each_other_out(sites: Sites) -> None:
    here, there = await sites.number(b"a" * 16, None), await sites.number(b"b" * 16, None)
    tags = range(300)
    await asyncio.gather(
        *(sites.remember(dict.fromkeys(tags if turn % 2 else reversed(tags), here if turn % 3 else there))
          for turn in range(20))
    )  # fmt: skip
    assert len(await sites.of_tags(list(tags))) == 300
