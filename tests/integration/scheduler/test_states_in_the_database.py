import asyncpg
import pytest

from scheduler.campaigns.states import RUN_STATES, TRANSITIONS, State
from tests.support.campaigns import Stage


async def test_the_database_allows_exactly_the_transitions_of_the_state_machine(stage: Stage) -> None:
    campaign = await stage.scheduled(seconds=60)
    for old in sorted(RUN_STATES):
        allowed = {new for new in RUN_STATES if await moves(stage, campaign.run_id, old, new)}
        assert allowed == TRANSITIONS[old] | {old}


async def moves(stage: Stage, run_id: object, old: State, new: State) -> bool:
    """Whether a run may go from one state to another; taken back in any case."""
    async with stage.main.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            copy = stage.new_id()
            await connection.execute(
                "INSERT INTO run"
                " (run_id, account_id, campaign_id, kind, state, starts_at, content_id, audience, weight)"
                " SELECT $2, account_id, campaign_id, 'test', $3, starts_at, content_id, audience, weight"
                " FROM run WHERE run_id = $1",
                run_id,
                copy,
                old,
            )
            await connection.execute("UPDATE run SET state = $2 WHERE run_id = $1", copy, new)
        except asyncpg.CheckViolationError:
            return False
        else:
            return True
        finally:
            await transaction.rollback()


async def test_a_state_that_is_not_known_can_not_be_stored(stage: Stage) -> None:
    campaign = await stage.scheduled(seconds=60)
    with pytest.raises(asyncpg.CheckViolationError):
        await stage.main.execute("UPDATE run SET state = 'draft' WHERE run_id = $1", campaign.run_id)


async def test_frozen_content_can_not_be_changed(stage: Stage, main_owner: asyncpg.Pool) -> None:
    await stage.scheduled(seconds=60)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await stage.main.execute("UPDATE content SET links = '{}'")
    with pytest.raises(asyncpg.IntegrityConstraintViolationError):
        await main_owner.execute("UPDATE content SET links = '{}'")
