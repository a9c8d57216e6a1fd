"""Migrations on a real server."""

import asyncpg
import pytest

from core import ids, migrations
from core.errors import ConfigurationError
from core.ids import IdSource
from deploy.dsns import Dsns
from tests.support.runs import make_run


async def test_a_migrated_database_needs_nothing_more(dsns: Dsns) -> None:
    assert await migrations.migrate(dsns.main_owner, "main") == []
    assert await migrations.migrate(dsns.members_owner, "members") == []


async def test_a_migration_that_was_changed_afterwards_is_refused(dsns: Dsns, main_owner: asyncpg.Pool) -> None:
    await main_owner.execute("UPDATE schema_migration SET digest = '\\x00' WHERE name = '0001_foundation'")
    with pytest.raises(ConfigurationError, match="main/0001_foundation"):
        await migrations.migrate(dsns.main_owner, "main")


async def test_runs_from_before_topics_stopped_mail_are_given_the_topic_of_their_audience(
    dsns: Dsns, main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource
) -> None:
    about, nothing = await make_run(main, new_id), await make_run(main, new_id)
    topic_id = new_id()
    audience = {"all": True, "topic": ids.encode("top", topic_id)}
    await main.execute("UPDATE run SET audience = $2 WHERE run_id = $1", about.run_id, audience)
    await main_owner.execute(
        "ALTER TABLE run DROP COLUMN topic_id; ALTER TABLE stop DROP CONSTRAINT stop_scope;"
        "DELETE FROM schema_migration WHERE name = '0013_topic_stops'"
    )
    assert await migrations.migrate(dsns.main_owner, "main") == ["0013_topic_stops"]
    found = {row["run_id"]: row["topic_id"] for row in await main.fetch("SELECT run_id, topic_id FROM run")}
    assert found == {about.run_id: topic_id, nothing.run_id: None}


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
