import re
from typing import get_args
from uuid import UUID

import asyncpg
import pytest

from core import audit, ids
from core.audit import OPERATOR, Action, AuditLog
from core.ids import IdSource
from tests.support.postgres import shift_clock


@pytest.fixture
async def account_id(main: asyncpg.Pool, new_id: IdSource) -> UUID:
    made = new_id()
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'default')", made)
    return made


@pytest.fixture
def log(main: asyncpg.Pool, new_id: IdSource) -> AuditLog:
    return AuditLog(main, new_id)


async def test_what_was_done_is_read_newest_first_and_by_kind(
    log: AuditLog, account_id: UUID, new_id: IdSource
) -> None:
    actor, member = audit.key_actor(new_id()), ids.encode("mem", new_id())
    await log.record(account_id, actor, "member.searched", "members", {"by": "part", "hits": 3})
    await log.record(account_id, actor, "member.erased", member)
    await log.record(account_id, OPERATOR, "account_key.added", "acc_1", {"purpose": "seal", "version": 2})
    found = await log.newest(account_id)
    assert [(one.actor, one.action) for one in found] == [
        (OPERATOR, "account_key.added"),
        (actor, "member.erased"),
        (actor, "member.searched"),
    ]
    assert found[2].detail == {"by": "part", "hits": 3}
    assert [one.object for one in await log.newest(account_id, action="member.erased")] == [member]
    assert [one.action for one in await log.newest(account_id, before=found[1].audit_id)] == ["member.searched"]
    assert await log.newest(new_id()) == []


async def test_an_entry_leaves_with_its_transaction_or_not_at_all(
    main: asyncpg.Pool, log: AuditLog, account_id: UUID
) -> None:
    async with main.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await log.record(account_id, OPERATOR, "api_key.created", "key_1", connection=connection)
        await transaction.rollback()
    assert await log.newest(account_id) == []


async def test_every_deed_can_be_stored_and_the_database_knows_no_other(
    main_owner: asyncpg.Pool, log: AuditLog, account_id: UUID
) -> None:
    for action in get_args(Action):
        await log.record(account_id, OPERATOR, action, "members")
    held = await main_owner.fetchval(
        "SELECT string_agg(pg_get_constraintdef(oid), ' ') FROM pg_constraint "
        "WHERE conrelid = 'audit'::regclass AND contype = 'c'"
    )
    assert set(re.findall(r"'([a-z_]+\.[a-z_]+)'", held)) == set(get_args(Action))


async def test_nothing_of_a_person_can_be_told(log: AuditLog, account_id: UUID) -> None:
    for text in ("taro@example.jp", "山田", "Yamada Taro", "x" * 101, ""):
        for detail in ({"text": text}, {"list": [1, text]}):
            with pytest.raises(ValueError, match="figures"):
                await log.record(account_id, OPERATOR, "member.searched", "members", detail)
        with pytest.raises(asyncpg.CheckViolationError):
            await log.record(account_id, OPERATOR, "member.searched", text)
        with pytest.raises(asyncpg.CheckViolationError):
            await log.record(account_id, text, "member.searched", "members")


async def test_an_entry_can_not_be_changed_or_removed(main: asyncpg.Pool, log: AuditLog, account_id: UUID) -> None:
    await log.record(account_id, OPERATOR, "api_key.created", "key_1")
    for statement in ("UPDATE audit SET actor = 'operator'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await main.execute(statement)


async def test_entries_go_after_their_time_and_never_before_ninety_days(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, log: AuditLog, account_id: UUID
) -> None:
    await log.record(account_id, OPERATOR, "api_key.created", "key_1")
    await shift_clock(main_owner, 89 * 86_400)
    await log.record(account_id, OPERATOR, "api_key.revoked", "key_1")
    await audit.forget(main, 0)
    assert len(await log.newest(account_id)) == 2
    await shift_clock(main_owner, 2 * 86_400)
    await audit.forget(main, 200)
    assert len(await log.newest(account_id)) == 2
    await audit.forget(main, 90)
    assert [one.action for one in await log.newest(account_id)] == ["api_key.revoked"]
