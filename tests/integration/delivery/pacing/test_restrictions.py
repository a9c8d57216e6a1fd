"""What operators and rules impose, as workers see it at their next ask."""

import asyncio

import asyncpg
import pytest

from delivery.pacing.restrictions import SQL, Restrictions
from delivery.pacing.wants import Pair
from tests.integration.delivery.pacing.workers import Hire, Limits, Worker
from tests.support.postgres import shift_clock
from tests.support.waiting import eventually


@pytest.fixture
def restrictions(main: asyncpg.Pool) -> Restrictions:
    return Restrictions(main)


async def suspend(
    restrictions: Restrictions,
    source_id: int | None,
    site_id: int | None,
    seconds: float = 600,
    by: str = "operator",
    **others: object,
) -> None:
    what = {"connections": 0, "rate": None, "reason": f"word of the {by}", **others}
    await restrictions.impose(
        source_id=source_id,
        site_id=site_id,
        seconds=seconds,
        imposed_by=by,  # type: ignore[arg-type]
        **what,  # type: ignore[arg-type]
    )


async def elsewhere(main: asyncpg.Pool, worker: Worker, *, source: bool = False) -> Worker:
    """The same worker, asking about another source or site."""
    source_id, site_id = worker.pair
    if source:
        source_id = await main.fetchval("INSERT INTO source (name) VALUES ('second') RETURNING source_id")
    else:
        site_id = await main.fetchval("INSERT INTO site (digest) VALUES ($1) RETURNING site_id", b"t" * 16)
    return Worker(worker.owner, worker.permits, (source_id, site_id))


@pytest.mark.parametrize(
    ("of_source", "of_site", "other_site", "other_source"),
    [(True, True, False, False), (True, False, True, False), (False, True, False, True)],
)
async def test_a_suspension_holds_for_a_source_for_a_site_or_for_both_together(
    main: asyncpg.Pool,
    hire: Hire,
    restrictions: Restrictions,
    of_source: bool,
    of_site: bool,
    other_site: bool,
    other_source: bool,
) -> None:
    worker = await hire()
    source_id, site_id = worker.pair
    at_other_site, by_other_source = await elsewhere(main, worker), await elsewhere(main, worker, source=True)
    await worker.ask()
    await suspend(restrictions, source_id if of_source else None, site_id if of_site else None)
    grant = await worker.ask()
    assert (grant.slots, grant.suspended, grant.reason) == ((), True, "word of the operator")
    assert grant.suspended_for == pytest.approx(600, abs=5)
    assert (await at_other_site.ask()).suspended is other_site
    assert (await by_other_source.ask()).suspended is other_source


async def test_it_ends_by_itself(main_owner: asyncpg.Pool, hire: Hire, pair: Pair, restrictions: Restrictions) -> None:
    worker = await hire()
    await suspend(restrictions, *pair, seconds=60)
    assert (await worker.ask()).suspended
    await shift_clock(main_owner, 61)
    assert len((await worker.ask()).slots) == 10


async def test_mail_returns_with_few_connections_though_nobody_asked_in_between(
    main_owner: asyncpg.Pool, hire: Hire, pair: Pair, restrictions: Restrictions
) -> None:
    limits = Limits(10, start=3)
    worker = await hire()
    await worker.ask(limits=limits, successes=1)
    assert (await worker.ask(limits=limits, successes=1000, in_use=True)).of == 10
    await suspend(restrictions, *pair, seconds=60)
    await shift_clock(main_owner, 61)
    assert (await worker.ask(limits=limits)).of == 3


async def test_the_strictest_of_all_that_are_imposed_holds(hire: Hire, pair: Pair, restrictions: Restrictions) -> None:
    source_id, site_id = pair
    worker = await hire()
    await suspend(restrictions, source_id, None, by="rule", connections=4)
    await suspend(restrictions, None, site_id, by="rule", connections=2, rate=50.0)
    await suspend(restrictions, source_id, site_id, by="rule", connections=None, rate=20.0)
    grant = await worker.ask()
    assert (grant.of, grant.rate, grant.suspended) == (2, 20.0, False)


async def test_lifting_lets_mail_go_and_says_how_many_were_lifted(
    hire: Hire, pair: Pair, restrictions: Restrictions
) -> None:
    source_id, site_id = pair
    worker = await hire()
    await suspend(restrictions, None, site_id)
    await suspend(restrictions, source_id, site_id, by="rule")
    await suspend(restrictions, source_id, None, by="rule")
    assert await restrictions.lift(source_id=None, site_id=site_id) == 2
    assert (await worker.ask()).suspended
    assert await restrictions.lift(source_id=source_id, site_id=None) == 1
    assert len((await worker.ask()).slots) == 10
    assert await restrictions.lift(source_id=source_id, site_id=site_id) == 0


async def test_lifting_one_source_at_one_site_leaves_what_holds_for_either(
    hire: Hire, pair: Pair, restrictions: Restrictions
) -> None:
    worker = await hire()
    await suspend(restrictions, pair[0], None)
    await suspend(restrictions, *pair)
    assert await restrictions.lift(source_id=pair[0], site_id=pair[1]) == 1
    assert (await worker.ask()).suspended


async def test_a_rule_that_acts_again_extends_and_never_shortens(
    main: asyncpg.Pool, hire: Hire, pair: Pair, restrictions: Restrictions
) -> None:
    worker = await hire()
    for seconds, left in ((600, 600), (60, 600), (1200, 1200)):
        await suspend(restrictions, *pair, seconds=seconds, by="rule")
        assert (await worker.ask()).suspended_for == pytest.approx(left, abs=5)
    assert await main.fetchval("SELECT count(*) FROM restriction") == 1


async def test_an_operator_may_shorten_and_may_overrule(hire: Hire, pair: Pair, restrictions: Restrictions) -> None:
    worker = await hire()
    await suspend(restrictions, *pair, seconds=1200, by="rule")
    await suspend(restrictions, *pair, seconds=600)
    await suspend(restrictions, *pair, seconds=60)
    assert (await worker.ask()).suspended_for == pytest.approx(60, abs=5)
    await suspend(restrictions, *pair, seconds=60, connections=1)
    assert (await worker.ask()).of == 1


async def test_what_rules_impose_is_spread_by_up_to_a_tenth(hire: Hire, pair: Pair, restrictions: Restrictions) -> None:
    await suspend(restrictions, *pair, seconds=600, by="rule", jitter=0.5)
    assert (await (await hire()).ask()).suspended_for == pytest.approx(630, abs=5)


@pytest.mark.parametrize(("target", "what"), [((None, None), {}), ((1, 1), {"connections": None, "rate": None})])
async def test_nothing_and_nobody_can_t_be_restricted(
    restrictions: Restrictions, target: tuple[int | None, int | None], what: dict[str, object]
) -> None:
    with pytest.raises(ValueError, match="neither"):
        await suspend(restrictions, *target, **what)  # type: ignore[arg-type]
    if target == (None, None):
        with pytest.raises(ValueError, match="neither"):
            await restrictions.lift(source_id=None, site_id=None)


async def test_what_ended_long_ago_is_forgotten(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, pair: Pair, restrictions: Restrictions
) -> None:
    await suspend(restrictions, *pair, seconds=60)
    await suspend(restrictions, pair[0], None, seconds=7200)
    await shift_clock(main_owner, 3700)
    await restrictions.forget(3600)
    assert [row["site_id"] for row in await main.fetch("SELECT site_id FROM restriction")] == [None]


# --- rules that act on the nth hit ---


async def test_a_rule_acts_on_its_nth_hit_over_all_workers_and_then_only_after_as_many_new_ones(
    pair: Pair, restrictions: Restrictions
) -> None:
    hits = await asyncio.gather(*(restrictions.hit("busy", *pair, 4) for _ in range(12)))
    assert sum(hits) == 3
    assert [await restrictions.hit("busy", *pair, 4) for _ in range(4)] == [False, False, False, True]


async def test_no_hit_is_missed_because_the_minute_changes_while_another_worker_counts(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, pair: Pair, restrictions: Restrictions
) -> None:
    async with main.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(SQL["lock_source"], pair[0])
        await other.execute(SQL["count_hit"], "busy", *pair)
        await shift_clock(main_owner, 60)
        hit = asyncio.create_task(restrictions.hit("busy", *pair, 2))

        async def waits_or_is_done() -> bool:
            return hit.done() or await main.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")

        await eventually(waits_or_is_done)
        await transaction.commit()
    assert await hit


async def test_hits_of_other_rules_sources_and_sites_are_counted_apart(
    main: asyncpg.Pool, hire: Hire, pair: Pair, restrictions: Restrictions
) -> None:
    other = (await elsewhere(main, await hire())).pair
    assert not await restrictions.hit("busy", *pair, 2)
    assert not await restrictions.hit("slow", *pair, 2)
    assert not await restrictions.hit("busy", *other, 2)
    assert await restrictions.hit("busy", *pair, 2)


async def test_hits_count_for_an_hour(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, pair: Pair, restrictions: Restrictions
) -> None:
    assert not await restrictions.hit("busy", *pair, 3)
    await shift_clock(main_owner, 1800)
    assert not await restrictions.hit("busy", *pair, 3)
    await shift_clock(main_owner, 1900)
    assert not await restrictions.hit("busy", *pair, 3)
    assert await restrictions.hit("busy", *pair, 3)
    assert await main.fetchval("SELECT count(*) FROM rule_hit") == 0


async def test_a_rule_for_the_first_hit_counts_nothing(
    main: asyncpg.Pool, pair: Pair, restrictions: Restrictions
) -> None:
    assert await restrictions.hit("blocked", *pair, 1)
    assert await main.fetchval("SELECT count(*) FROM rule_hit") == 0
