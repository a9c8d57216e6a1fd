from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core import outbox
from core.ids import IdSource
from core.outbox import NoticeStore
from tests.support.postgres import shift_clock


@pytest.fixture
async def account_id(main: asyncpg.Pool, new_id: IdSource) -> UUID:
    made = new_id()
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'default')", made)
    return made


async def tell(connection: Any, new_id: IdSource, account_id: UUID, **changes: Any) -> UUID:
    event_id = new_id()
    usual: dict[str, Any] = {"kind": "campaign.stopped", "subject_id": new_id(), "payload": {"results": 540}}
    await outbox.tell(connection, event_id=event_id, account_id=account_id, **(usual | changes))
    return event_id


async def test_a_notice_leaves_with_the_transaction_that_caused_it_or_not_at_all(
    main: asyncpg.Pool, new_id: IdSource, account_id: UUID
) -> None:
    store = NoticeStore(main)
    async with main.acquire() as connection:
        with pytest.raises(ValueError, match="transaction"):
            await tell(connection, new_id, account_id)
        async with connection.transaction():
            kept = await tell(connection, new_id, account_id)
            assert await store.newest(account_id) == []
        transaction = connection.transaction()
        await transaction.start()
        await tell(connection, new_id, account_id)
        await transaction.rollback()
    [notice] = await store.newest(account_id)
    assert (notice.event_id, notice.kind, notice.payload) == (kept, "campaign.stopped", {"results": 540})


async def test_a_notice_can_not_be_changed(main: asyncpg.Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await main.execute("UPDATE outbox SET kind = 'campaign.started'")


async def test_a_kind_says_what_thing_it_is_about(main: asyncpg.Pool, new_id: IdSource, account_id: UUID) -> None:
    async with main.acquire() as connection:
        for kind in ("stopped", "Campaign.stopped", "campaign.", "a@example.jp"):
            with pytest.raises(asyncpg.CheckViolationError):
                async with connection.transaction():
                    await tell(connection, new_id, account_id, kind=kind)


async def test_notices_are_forgotten_after_thirty_days(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource, account_id: UUID
) -> None:
    async with main.acquire() as connection:
        async with connection.transaction():
            await tell(connection, new_id, account_id)
        await shift_clock(main_owner, 29 * 86_400)
        async with connection.transaction():
            late = await tell(connection, new_id, account_id)
    await outbox.forget(main)
    assert len(await NoticeStore(main).newest(account_id)) == 2
    await shift_clock(main_owner, 2 * 86_400)
    await outbox.forget(main)
    assert [one.event_id for one in await NoticeStore(main).newest(account_id)] == [late]
