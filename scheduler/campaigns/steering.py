"""Pauses, suspends, resumes and cancels the run of a campaign, and waits until that is final.

Pausing and cancelling are final when no chunk of the run is leased. Whoever sees that first says so: the sweep of any
scheduler, or the request that waits for it. Both run the same conditional statement.

A suspension is a pause that knows its end: the sweep resumes the run then. The last word of a person counts: a pause
without an end, a resume or a cancel ends a suspension.
"""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import logs, sql
from core.errors import Conflict, NotFound
from delivery import suspension
from scheduler.campaigns.autostop import HARD
from scheduler.campaigns.states import FINAL, Action, State, after
from scheduler.meters import RUNS_RESUMED

SQL = sql.load(__package__ or "", "steering.sql")

POLL_SECONDS = 0.05

log = logs.get()


async def steer(
    main: asyncpg.Pool, action: Action, *, account_id: UUID, campaign_id: UUID, seconds: float | None = None
) -> tuple[UUID, State]:
    """Pause, resume or cancel a campaign's newest run; return the run and the state it is in now.

    `seconds` is after how long a pause ends by itself, None: not before somebody says so. What is under way or reached
    already is left as it is. Raises Conflict where the state does not allow the action.
    """
    async with main.acquire() as connection:
        while True:
            row = await connection.fetchrow(SQL["newest"], account_id, campaign_id)
            if row is None:
                raise Conflict(f"A draft can't be asked to {action}")
            state = State(row["state"])
            target = after(action, state)
            if target is None:
                raise Conflict(f"A campaign that is {state} can't be asked to {action}")
            new_end = action is Action.PAUSE and (seconds is not None or row["suspended"])
            # The state may have moved on since it was read: then the statement finds no row, and we look again.
            if (target == state and not new_end) or await _move(connection, action, row["run_id"], seconds):
                return row["run_id"], target


async def _move(connection: PoolConnectionProxy, action: Action, run_id: UUID, seconds: float | None) -> bool:
    match action:
        case Action.PAUSE:
            moved = await connection.fetchval(SQL["pause"], run_id, seconds)
        case Action.RESUME:
            moved = await connection.fetchval(SQL["resume"], run_id, HARD)
        case _:
            moved = await connection.fetchval(SQL["cancel"], run_id)
    return moved is not None


async def suspend(main: asyncpg.Pool, run_id: UUID, seconds: float, reason: str) -> bool:
    """Have a run begin nothing more for `seconds`; False if it is not under way, or a person has paused it.

    One that is suspended already stays so at least that long. `reason` stands on the run's record, in plain words.
    """
    return await suspension.suspend_run(main, run_id, seconds, reason)


async def resume_due(main: asyncpg.Pool) -> Sequence[UUID]:
    """Resume every run whose suspension is over; return those that this call resumed."""
    resumed = [row["run_id"] for row in await main.fetch(SQL["resume_due"])]
    for run_id in resumed:
        RUNS_RESUMED.inc()
        log.info("run_resumed", run=str(run_id))
    return resumed


async def settle(main: asyncpg.Pool, run_id: UUID, target: State, timeout: float) -> State:  # noqa: ASYNC109
    """Wait until a run is in `target`, or final, at most `timeout` seconds; return the state it is in then."""
    state = await _settled(main, run_id)
    try:
        async with asyncio.timeout(timeout):
            while state != target and state not in FINAL and state in {State.PAUSING, State.CANCELLING}:
                await asyncio.sleep(POLL_SECONDS)
                state = await _settled(main, run_id)
    except TimeoutError:
        # Still under way: the caller is told so, and a sweep will end it.
        pass
    return state


async def _settled(main: asyncpg.Pool, run_id: UUID) -> State:
    await main.execute(SQL["settle"], run_id)
    state = await main.fetchval(SQL["state"], run_id)
    if state is None:
        raise NotFound("There is no such run")
    return State(state)
