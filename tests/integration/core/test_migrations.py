"""Migrations on a real server."""

import asyncpg
import pytest

from core import migrations
from core.errors import ConfigurationError
from deploy.dsns import Dsns


async def test_a_migrated_database_needs_nothing_more(dsns: Dsns) -> None:
    assert await migrations.migrate(dsns.main_owner, "main") == []
    assert await migrations.migrate(dsns.members_owner, "members") == []


async def test_a_migration_that_was_changed_afterwards_is_refused(dsns: Dsns, main_owner: asyncpg.Pool) -> None:
    await main_owner.execute("UPDATE schema_migration SET digest = '\\x00' WHERE name = '0001_foundation'")
    with pytest.raises(ConfigurationError, match="main/0001_foundation"):
        await migrations.migrate(dsns.main_owner, "main")


async def test_partitions_are_made_ahead_and_making_them_again_does_nothing(main: asyncpg.Pool) -> None:
    count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'recipient'::regclass"
    before = await main.fetchval(count)
    await main.execute("SELECT app.make_partitions(app.now(), 3)")
    assert await main.fetchval(count) == before >= 5
    await main.execute("SELECT app.make_partitions(app.now(), 5)")
    assert await main.fetchval(count) == before + 2


async def test_what_was_intended_can_not_be_taken_back(main: asyncpg.Pool) -> None:
    for statement in ("DELETE FROM intent", "UPDATE intent SET try = 2", "DELETE FROM result", "DELETE FROM stop"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await main.execute(statement)


async def test_a_fresh_partition_gives_the_application_no_more_than_its_parent(main: asyncpg.Pool) -> None:
    partition = await main.fetchval(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'intent'::regclass"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await main.execute(f"DELETE FROM {partition}")
