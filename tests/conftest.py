"""Fixtures that every test may use: fresh databases on a real server, role pools, clock, ids."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from core.clock import Clock, SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from tests.support.postgres import Server, fresh_databases, running_server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The session's server; tests that kill theirs take `running_server` instead."""
    with running_server() as server:
        yield server


@pytest.fixture
async def dsns(postgres_server: Server) -> AsyncIterator[Dsns]:
    """Fresh, migrated, empty databases for this test alone."""
    async with fresh_databases(postgres_server) as made:
        yield made


@pytest.fixture
async def main(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The main database as the application's role sees it."""
    async for pool in _pool(dsns.main):
        yield pool


@pytest.fixture
async def main_tracker(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The main database as the tracker's role sees it."""
    async for pool in _pool(dsns.main_tracker):
        yield pool


@pytest.fixture
async def main_pages(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The main database as the pages' role sees it."""
    async for pool in _pool(dsns.main_pages):
        yield pool


@pytest.fixture
async def vault_pages(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The member database as the pages' role sees it."""
    async for pool in _pool(dsns.members_pages):
        yield pool


@pytest.fixture
async def main_inbound(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The main database as inbound's role sees it."""
    async for pool in _pool(dsns.main_inbound):
        yield pool


@pytest.fixture
async def main_owner(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The main database as its owner: for looking and for moving its clock."""
    async for pool in _pool(dsns.main_owner):
        yield pool


@pytest.fixture
async def vault(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The member database as the vault's role sees it."""
    async for pool in _pool(dsns.members):
        yield pool


@pytest.fixture
async def stops(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The member database as the scheduler sees it: one function."""
    async for pool in _pool(dsns.members_stops):
        yield pool


@pytest.fixture
async def vault_owner(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The member database as its owner: for looking and for moving its clock."""
    async for pool in _pool(dsns.members_owner):
        yield pool


@pytest.fixture
def clock() -> Clock:
    """The machine's clock, unless a test module brings a FixedClock."""
    return SystemClock()


@pytest.fixture
def new_id(clock: Clock) -> IdSource:
    """Ids in the order of their making."""
    return IdSource(clock)


async def _pool(dsn: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(dsn, name="test")
    try:
        yield pool
    finally:
        await close_pool(pool)
