"""Pauses, resumes and cancels the run of a campaign, and waits until that is final.

Pausing and cancelling are final when no chunk of the run is leased. Whoever sees that first says so: the sweep of any
scheduler, or the request that waits for it. Both run the same conditional statement.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, NotFound
from scheduler.campaigns.states import FINAL, Action, State, after

SQL = sql.load(__package__ or "", "steering.sql")

POLL_SECONDS = 0.05

_STATEMENTS: Mapping[Action, str] = MappingProxyType(
    {Action.PAUSE: SQL["pause"], Action.RESUME: SQL["resume"], Action.CANCEL: SQL["cancel"]}
)


async def steer(main: asyncpg.Pool, action: Action, *, account_id: UUID, campaign_id: UUID) -> tuple[UUID, State]:
    """Pause, resume or cancel a campaign's newest run; return the run and the state it is in now.

    What is under way or reached already is left as it is. Raises Conflict where the state does not allow the action.
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
            # The state may have moved on since it was read: then the statement finds no row, and we look again.
            if target == state or await connection.fetchval(_STATEMENTS[action], row["run_id"]) is not None:
                return row["run_id"], target


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
