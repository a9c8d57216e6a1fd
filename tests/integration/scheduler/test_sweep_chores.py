import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from prometheus_client import REGISTRY

from core import outbox
from core.clock import Clock
from core.database import close_pool, open_pool
from delivery.pacing.restrictions import Restrictions
from deploy.dsns import Dsns
from scheduler import chores
from scheduler.campaigns.states import State
from scheduler.campaigns.steering import suspend
from scheduler.sweep import Sweep
from tests.support.campaigns import Stage
from tests.support.postgres import shift_clock


async def nothing() -> None:
    pass


def sweep(stage: Stage, stops: asyncpg.Pool, clock: Clock, **calls: object) -> Sweep:
    folds = ("fold", "break_down", "fold_breakdowns", "fold_engagement")
    handed_in = ("reap", "settle_events", *folds, "forget_batches", "advance_feed", "recount")
    given = dict.fromkeys(handed_in, nothing) | calls
    kept = {"audit_days": 90, "consent_days": 1096, "unconfirmed_days": 7, "events_keep_months": 25}
    return Sweep(stage.main, stops, clock, new_id=stage.new_id, lead=600, **kept, **given)  # type: ignore[arg-type]


async def stop_members(stage: Stage, count: int) -> None:
    members = await stage.members(count)
    await stage.main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at)"
        " SELECT $1, m, 'unsubscribed', app.now() FROM unnest($2::uuid[]) AS m",
        stage.account_id,
        members,
    )


async def test_stops_are_carried_into_the_vault_once(stage: Stage, stops: asyncpg.Pool, vault: asyncpg.Pool) -> None:
    await stop_members(stage, 1_500)
    carried = await asyncio.gather(*(chores.carry_stops(stage.main, stops) for _ in range(3)))
    assert sum(carried) == 1_500
    assert await stage.main.fetchval("SELECT count(*) FROM stop WHERE carried_at IS NULL") == 0
    assert await vault.fetchval("SELECT count(*) FROM member WHERE status = 'unsubscribed'") == 1_500
    assert await vault.fetchval("SELECT count(*) FROM suppression") == 1_500
    assert await vault.fetchval("SELECT count(*) FROM consent WHERE kind = 'withdrawn'") == 1_500
    assert await chores.carry_stops(stage.main, stops) == 0


async def test_stops_that_were_carried_before_we_died_are_not_doubled(
    stage: Stage, stops: asyncpg.Pool, vault: asyncpg.Pool
) -> None:
    await stop_members(stage, 10)
    await chores.carry_stops(stage.main, stops)
    await stage.main.execute("UPDATE stop SET carried_at = NULL")
    assert await chores.carry_stops(stage.main, stops) == 10
    assert await vault.fetchval("SELECT count(*) FROM consent WHERE kind = 'withdrawn'") == 10


async def test_old_consents_of_who_left_expire_in_steps_until_none_is_left(
    stage: Stage, stops: asyncpg.Pool, vault: asyncpg.Pool, vault_owner: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "MEMBERS_AT_ONCE", 4)
    await stop_members(stage, 10)
    await chores.carry_stops(stage.main, stops)
    assert await chores.expire_consents(stops, 1_096) == 0
    await shift_clock(vault_owner, 1_097 * 86_400)
    assert await chores.expire_consents(stops, 1_096) == 10
    assert await vault.fetchval("SELECT count(*) FROM consent WHERE member_id IS NULL") == 10


async def test_one_pass_takes_a_campaign_s_audience_through_its_run_to_the_end(
    stage: Stage, stops: asyncpg.Pool, clock: Clock
) -> None:
    await stage.members(10)
    campaign = await stage.scheduled()
    whole = sweep(stage, stops, clock)
    await whole.once()
    assert (await stage.run(campaign)).state is State.RUNNING
    await stage.cut_audiences()
    await stage.end_chunks(campaign)
    await whole.once()
    assert (await stage.run(campaign)).state is State.FINISHED


async def test_one_pass_stops_a_campaign_that_bounces_and_resumes_one_whose_suspension_is_over(
    stage: Stage, stops: asyncpg.Pool, clock: Clock, main_owner: asyncpg.Pool
) -> None:
    await stage.members(600)
    bouncing, suspended = await stage.scheduled(), await stage.scheduled()
    whole = sweep(stage, stops, clock)
    await whole.pass_prompt()
    await stage.cut_audiences()
    assert suspended.run_id is not None
    await suspend(stage.main, suspended.run_id, 60, "rule slow")
    await stage.main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, 'failed', 'no_such_user', 600, 0)",
        bouncing.run_id,
    )
    await shift_clock(main_owner, 61)
    await whole.pass_prompt()
    assert (await stage.run(suspended)).state is State.RUNNING
    assert (await stage.run(bouncing)).state is State.PAUSED


async def test_a_step_that_fails_stops_no_other(stage: Stage, clock: Clock) -> None:
    await stop_members(stage, 1)
    campaign = await stage.scheduled()
    called = []

    async def fail() -> None:
        called.append("reap")
        raise RuntimeError

    async def fold() -> None:
        called.append("fold")

    nowhere = await open_pool("postgresql://nobody:x@127.0.0.1:1/none", name="no vault")
    try:
        await sweep(stage, nowhere, clock, reap=fail, fold=fold).once()
    finally:
        await close_pool(nowhere)
    assert called == ["reap", "fold"]
    assert (await stage.run(campaign)).state is State.RUNNING
    assert await stage.main.fetchval("SELECT count(*) FROM stop WHERE carried_at IS NULL") == 1


async def test_what_is_kept_for_a_time_only_is_forgotten(stage: Stage, main_owner: asyncpg.Pool, dsns: Dsns) -> None:
    insert = "INSERT INTO idempotency (account_id, key, fingerprint) VALUES ($1, $2, '')"
    await stage.main.execute(insert, stage.account_id, "old")
    await shift_clock(main_owner, 25 * 3600)
    await stage.main.execute(insert, stage.account_id, "new")
    await chores.forget(stage.main, 90)
    assert [row["key"] for row in await stage.main.fetch("SELECT key FROM idempotency")] == ["new"]


async def test_notices_and_ended_restrictions_are_forgotten_after_a_month(
    stage: Stage, main_owner: asyncpg.Pool
) -> None:
    async def leave() -> None:
        async with stage.main.acquire() as connection, connection.transaction():
            await outbox.tell(
                connection,
                event_id=stage.new_id(),
                account_id=stage.account_id,
                kind="campaign.stopped",
                subject_id=stage.new_id(),
                payload={},
            )
        await Restrictions(stage.main).impose(
            source_id=None, site_id=0, connections=0, rate=None, seconds=60, reason="x", imposed_by="operator"
        )

    await leave()
    await shift_clock(main_owner, 31 * 86_400)
    await leave()
    await chores.forget(stage.main, 90)
    for table in ("outbox", "restriction"):
        assert await stage.main.fetchval(f"SELECT count(*) FROM {table}") == 1, table


async def test_the_tables_of_the_months_ahead_are_made(stage: Stage, main_owner: asyncpg.Pool) -> None:
    await shift_clock(main_owner, 300 * 86_400)
    await chores.make_partitions(stage.main)
    await chores.make_partitions(stage.main)
    ahead = datetime.now(UTC) + timedelta(days=300)
    name = f"recipient_{ahead:%Y%m}"
    assert await main_owner.fetchval("SELECT to_regclass($1) IS NOT NULL", name)


async def test_restrictions_in_force_are_seen_in_the_metrics(stage: Stage, main_owner: asyncpg.Pool) -> None:
    await main_owner.execute(
        "INSERT INTO restriction (site_id, connections, rate, ends_at, reason, imposed_by) VALUES "
        "(0, 0, NULL, app.now() + interval '1 h', 'r', 'operator'),"
        "(0, NULL, 1, app.now() + interval '1 h', 'r', 'rule'),"
        "(0, 0, NULL, app.now() - interval '1 s', 'over', 'rule')"
    )
    await chores.measure(stage.main)

    def shown(kind: str, imposed_by: str) -> float | None:
        return REGISTRY.get_sample_value("todoku_restrictions", {"kind": kind, "imposed_by": imposed_by})

    assert (shown("suspend", "operator"), shown("slow", "rule"), shown("suspend", "rule")) == (1.0, 1.0, None)
    await main_owner.execute("UPDATE restriction SET lifted_at = app.now()")
    await chores.measure(stage.main)
    assert shown("suspend", "operator") is None
