"""Live workers, and a source and a site for them to ask about."""

import asyncpg
import pytest

from core.ids import IdSource
from delivery.pacing.sites import Sites
from delivery.pacing.wants import Pair
from tests.integration.delivery.pacing.workers import Held, Hire, Worker, hired


@pytest.fixture
async def pair(main: asyncpg.Pool) -> Pair:
    """A source and a site."""
    sites = Sites(main)
    return await sites.source("direct"), await sites.number(b"s" * 16, None)


@pytest.fixture
async def hire(main: asyncpg.Pool, new_id: IdSource, pair: Pair) -> Hire:
    """Register a worker that lives for a day."""

    async def hire_one(pool: str = "bulk", *, through: asyncpg.Pool = main) -> Worker:
        return await hired(main, new_id(), pair, pool=pool, through=through)

    return hire_one


@pytest.fixture
def held(main: asyncpg.Pool) -> Held:
    """How many permits live workers have."""

    async def count() -> int:
        found: int = await main.fetchval(
            "SELECT count(*) FROM permit JOIN worker USING (owner) WHERE reaped_at IS NULL AND alive_until > app.now()"
        )
        return found

    return count
