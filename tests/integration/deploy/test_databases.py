import asyncpg
import pytest

from core.ids import IdSource
from deploy.dsns import Dsns


async def test_each_test_has_both_databases_to_itself(
    main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    assert await main.fetchval("SELECT count(*) FROM account") == 0
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'default')", new_id())
    assert await vault.fetchval("SELECT count(*) FROM member") == 0


async def test_what_a_test_wrote_is_gone_for_the_next(main: asyncpg.Pool) -> None:
    assert await main.fetchval("SELECT count(*) FROM account") == 0


async def test_a_role_of_one_database_cannot_connect_to_the_other(dsns: Dsns) -> None:
    main_name = dsns.main.rpartition("/")[2]
    members_name = dsns.members.rpartition("/")[2]
    for dsn in (
        dsns.members.replace(members_name, main_name),
        dsns.members_stops.replace(members_name, main_name),
        dsns.main.replace(main_name, members_name),
        dsns.main_tracker.replace(main_name, members_name),
        dsns.main_inbound.replace(main_name, members_name),
        dsns.main_owner.replace(main_name, members_name),
        dsns.main.replace(main_name, "postgres?sslmode=disable"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(dsn, timeout=5)


async def test_the_tracker_may_not_read_what_it_has_no_use_for(main_tracker: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await main_tracker.fetchval("SELECT count(*) FROM api_key")
    assert await main_tracker.fetch("SELECT run_id, content_id FROM run") == []


async def test_the_scheduler_reads_nothing_in_the_vault_and_may_carry_stops_into_it(stops: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await stops.fetchval("SELECT count(*) FROM member")
    assert await stops.fetchval("SELECT app.carry_stops('{}', '{}', '{}', '{}', '{}')") == 0


async def test_a_wrong_password_is_refused_on_loopback_too(dsns: Dsns) -> None:
    role, _, rest = dsns.main.partition("//")[2].partition(":")
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://{role}:guess@{rest.partition('@')[2]}", timeout=5)
