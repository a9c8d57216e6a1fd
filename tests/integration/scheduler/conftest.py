import asyncpg
import pytest

from core.ids import IdSource
from tests.support.campaigns import Stage, set_up


@pytest.fixture
async def stage(main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource) -> Stage:
    """An account with a sender and a template."""
    return await set_up(main, vault, new_id)
