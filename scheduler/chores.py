"""What the sweep does, one function a chore: each is safe to run in any number of schedulers at once."""

from contextlib import suppress
from uuid import UUID

import asyncpg

from core import audit, logs, outbox, sql
from delivery.pacing.restrictions import Restrictions
from scheduler.campaigns.states import State
from scheduler.meters import QUEUED, RESTRICTED, RUNS_ENDED, STOPS_CARRIED

SQL = sql.load(__package__ or "", "sweep.sql")
STEERING = sql.load("scheduler.campaigns", "steering.sql")
JOBS = sql.load(__package__ or "", "jobs.sql")

log = logs.get()

STOPS_AT_ONCE = 1_000
BLOCKS_AT_ONCE = 200
MEMBERS_AT_ONCE = 5_000
UNCONFIRMED_AT_ONCE = 1_000
GROWTH_AT_ONCE = 10_000
RESTRICTIONS_KEPT = 30 * 86_400.0
"""Seconds since they ended."""


async def plan_audiences(main: asyncpg.Pool, lead: float) -> int:
    """Have the audiences cut of runs that start within `lead` seconds; return how many were begun."""
    return len(await main.fetch(SQL["plan_audiences"], lead))


async def settle(main: asyncpg.Pool) -> int:
    """Make pausing and cancelling final where nothing is under way; return how many."""
    return _note_ends(await main.fetch(STEERING["settle"], None))


async def finish(main: asyncpg.Pool) -> int:
    """Finish runs with nothing left to do; return how many."""
    return _note_ends(await main.fetch(SQL["finish"]))


async def carry_stops(main: asyncpg.Pool, vault: asyncpg.Pool) -> int:
    """Carry stops on into the vault, at most 1,000 a round, until none is left; return how many.

    They stay locked here until the vault has committed; if we die in between they are carried again, which the
    vault's function finds done. `vault` is a pool of the role that may call that function and nothing else.
    """
    total = 0
    while True:
        async with main.acquire() as connection, connection.transaction():
            rows = await connection.fetch(SQL["stops_to_carry"])
            if rows:
                columns = {name: [row[name] for row in rows] for name in rows[0].keys()}  # noqa: SIM118 - a Record
                accounts, members, scopes = columns["account_id"], columns["member_id"], columns["scope"]
                times = columns["occurred_at"]
                await vault.execute(SQL["carry_stops"], accounts, members, scopes, columns["reason"], times)
                await connection.execute(SQL["stops_carried"], accounts, members, scopes, times)
        STOPS_CARRIED.inc(len(rows))
        total += len(rows)
        if len(rows) < STOPS_AT_ONCE:
            return total


async def sweep_files(vault: asyncpg.Pool) -> int:
    """Drop uploads that were left, dry runs not applied, exports whose time is over; return how much that was.

    `vault` is a pool of the role that may call the function for it and reads nothing back.
    """
    total = 0
    while dropped := await vault.fetchval(SQL["sweep_files"], BLOCKS_AT_ONCE):
        total += dropped
    return total


async def expire_consents(vault: asyncpg.Pool, days: int) -> int:
    """Forget the content of consents that are kept long enough, of who is not mailed any more; return how many.

    The vault's own function decides which; what is left of each is the hash by which the ledger still verifies.
    """
    total = 0
    account_id = member_id = UUID(int=0)
    while True:
        row = await vault.fetchrow(SQL["expire_consents"], days, account_id, member_id, MEMBERS_AT_ONCE)
        if row is None or row["last_account"] is None:
            break
        total += row["expired"]
        account_id, member_id = row["last_account"], row["last_member"]
    if total:
        log.info("consents_expired", records=total)
    return total


async def forget_unconfirmed(vault: asyncpg.Pool, days: int) -> int:
    """Forget sign-ups that nobody confirmed within `days`, by the vault's function for it; return how many forms."""
    total = 0
    while forgotten := await vault.fetchval(SQL["forget_unconfirmed"], days, UNCONFIRMED_AT_ONCE):
        total += forgotten
    return total


async def fold_growth(vault: asyncpg.Pool) -> int:
    """Fold what was counted of members who came and went, by the vault's function for it; return how many deltas."""
    total = 0
    while folded := await vault.fetchval(SQL["fold_growth"], GROWTH_AT_ONCE):
        total += folded
    return total


async def release_jobs(main: asyncpg.Pool) -> int:
    """Free jobs whose worker is retired; return how many."""
    return len(await main.fetch(JOBS["release_orphans"]))


async def make_partitions(main: asyncpg.Pool) -> None:
    """Make the tables of the months ahead."""
    await main.execute(SQL["make_partitions"])


async def drop_months(main: asyncpg.Pool, keep: int) -> int:
    """Close months older than `keep` whole ones, and drop the raw rows of those closed before; return how many.

    Another that is at it, or reads one of them for long, is left alone until the next time.
    """
    dropped = 0
    with suppress(asyncpg.LockNotAvailableError):
        await main.execute(SQL["close_months"], keep)
        while emptied := await main.fetchrow(SQL["empty_month"]):
            log.info("month_dropped", month=f"{emptied['month']:%Y-%m}", bytes=emptied["bytes"])
            dropped += 1
    return dropped


async def measure(main: asyncpg.Pool) -> None:
    """Show in the metrics what waits in the queue, and what is restricted."""
    depth, restricted = await main.fetch(SQL["queue_depth"]), await main.fetch(SQL["restrictions_in_force"])
    QUEUED.clear()
    for row in depth:
        QUEUED.labels(row["state"], row["why"]).set(row["recipients"])
    RESTRICTED.clear()
    for row in restricted:
        RESTRICTED.labels("suspend" if row["suspends"] else "slow", row["imposed_by"]).set(row["count"])


async def forget(main: asyncpg.Pool, audit_days: int) -> None:
    """Delete what is kept for a time only: answers to repeated requests, done jobs, old notices, restrictions, strikes.

    The audit log keeps its entries for `audit_days`.
    """
    await main.execute(SQL["forget_idempotency"])
    await main.execute(SQL["forget_jobs"])
    await main.execute(SQL["forget_letters"])
    await main.execute(SQL["forget_limits"])
    await main.execute(SQL["forget_strikes"])
    await outbox.forget(main)
    await audit.forget(main, audit_days)
    await Restrictions(main).forget(RESTRICTIONS_KEPT)


def _note_ends(rows: list[asyncpg.Record]) -> int:
    for row in rows:
        if row["state"] != State.PAUSED:
            RUNS_ENDED.labels(row["state"]).inc()
        log.info("run_state", run=str(row["run_id"]), state=row["state"], kind=row["kind"])
    return len(rows)
