"""Growth in any zone, at any step and however much of it is folded, against adding up whatever happened."""

import asyncio
from collections.abc import Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ids import IdSource
from members.growth import MEANINGS, GrowthStep, GrowthStore
from members.spans import beginnings, floor, following
from tests.support.waiting import eventually

KINDS = ["active", *MEANINGS]
STEPS: list[GrowthStep] = ["day", "week", "month"]
# Whole hours, halves and quarters of one from UTC; clocks put on by an hour and by half of one; a day left out.
ZONES = [
    "UTC", "Asia/Tokyo", "Asia/Kolkata", "Asia/Kathmandu", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
    "Pacific/Apia",
]  # fmt: skip
FIRST = datetime(2011, 10, 1, tzinfo=UTC)

Change = tuple[int, str, int]
"""A quarter of an hour since 1970, what happened, how often."""


def changes(bounds: Sequence[datetime]) -> st.SearchStrategy[list[Change]]:
    """Draw what may have happened before, in and after spans with these bounds: often just where one begins."""
    quarters = [int(at.timestamp()) // 900 for at in bounds]
    near = st.builds(lambda quarter, by: quarter + by, st.sampled_from(quarters), st.sampled_from([0, 0, -1, 1]))
    anywhere = st.integers(quarters[0] - 3_000, quarters[-1] + 3_000)
    one = st.tuples(near | anywhere, st.sampled_from(KINDS), st.sampled_from([-2, -1, 1, 2, 5]))
    return st.lists(one, min_size=5, max_size=40)


def added_up(changed: Sequence[Change], begin: datetime, end: datetime) -> tuple[int, ...]:
    """Return how many were on the list at the end of a span, and how many of each kind there were in it."""
    at = [(datetime.fromtimestamp(quarter * 900, UTC), kind, count) for quarter, kind, count in changed]
    there = sum(count for when, kind, count in at if kind == "active" and when < end)
    return (
        there,
        *(sum(count for when, other, count in at if other == kind and begin <= when < end) for kind in MEANINGS),
    )


async def count(vault_owner: asyncpg.Pool, account_id: UUID, changed: Sequence[Change]) -> None:
    await vault_owner.executemany(
        "INSERT INTO growth_delta (account_id, quarter, kind, count) VALUES ($1, $2, $3, $4)",
        [(account_id, *change) for change in changed],
    )


@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_each_span_holds_what_happened_in_it_in_every_zone_however_it_was_folded(
    vault: asyncpg.Pool, vault_owner: asyncpg.Pool, stops: asyncpg.Pool, new_id: IdSource, data: st.DataObject
) -> None:
    zone, step = ZoneInfo(data.draw(st.sampled_from(ZONES))), data.draw(st.sampled_from(STEPS))
    since = FIRST + data.draw(st.integers(0, 200)) * timedelta(days=1, minutes=7)
    until = since + timedelta(days=data.draw(st.integers(1, 150)))
    begins = list(beginnings(floor(since, step, zone), until, step, zone))
    drawn = changes([*begins, following(begins[-1], step, zone)])
    account_id, other_id = new_id(), new_id()
    happened: list[Change] = []
    for most in data.draw(st.lists(st.sampled_from([7, 10_000]), max_size=3)):
        folded = data.draw(drawn)
        await count(vault_owner, account_id, folded)
        await count(vault_owner, other_id, folded[::2])
        while await stops.fetchval("SELECT app.fold_growth($1)", most):
            pass
        happened += folded
    unfolded = data.draw(drawn)
    await count(vault_owner, account_id, unfolded)
    happened += unfolded
    found = await GrowthStore(vault).read(account_id, since, until, step, zone)
    assert [astuple(span) for span in found] == [
        (begin, *added_up(happened, begin, following(begin, step, zone))) for begin in begins
    ]


async def test_a_delta_that_appears_while_others_are_folded_is_not_lost(
    vault: asyncpg.Pool, vault_owner: asyncpg.Pool, stops: asyncpg.Pool, new_id: IdSource
) -> None:
    account_id, change = new_id(), (int(FIRST.timestamp()) // 900, "active", 1)
    fold = "SELECT app.fold_growth(10)"

    async def waits() -> bool:
        found: bool = await stops.fetchval(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return found

    async with vault_owner.acquire() as writer, stops.acquire() as folder:
        async with folder.transaction():
            async with writer.transaction():
                await writer.execute(
                    "INSERT INTO growth_delta (account_id, quarter, kind, count) VALUES ($1, $2, $3, $4)",
                    account_id,
                    *change,
                )
                await count(vault_owner, account_id, [change] * 2)
                assert await folder.fetchval(fold) == 2
            beside = asyncio.create_task(stops.fetchval(fold))
            await eventually(waits)
        assert await beside == 1
    [day] = await GrowthStore(vault).read(account_id, FIRST, FIRST + timedelta(days=1), "day", ZoneInfo("UTC"))
    assert day.active == 3
