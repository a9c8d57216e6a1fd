"""Notices over REST: newest first, or what came after one; each account its own alone."""

from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from core import ids, outbox
from core.ids import IdSource

WHERE = "/v1/notices"


async def told(main: asyncpg.Pool, new_id: IdSource, account_id: UUID, count: int) -> list[str]:
    """So many notices as they are shown, oldest first."""
    made = new_id.many(count)
    async with main.acquire() as connection, connection.transaction():
        for number, event_id in enumerate(made):
            await outbox.tell(
                connection,
                event_id=event_id,
                account_id=account_id,
                kind="campaign.stopped",
                subject_id=new_id(),
                payload={"results": number},
            )
    return [ids.encode("ntc", one) for one in made]


async def pages(client: httpx.AsyncClient, **params: Any) -> list[str]:
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    while True:
        page = (await client.get(WHERE, params={**params, **cursor})).json()
        seen += [notice["id"] for notice in page["items"]]
        if page["next"] is None:
            return seen
        cursor = {"cursor": page["next"]}


async def test_notices_are_listed_newest_first_a_page_at_a_time(
    client: httpx.AsyncClient, account: Any, main: asyncpg.Pool, new_id: IdSource
) -> None:
    made = await told(main, new_id, account.account_id, 5)
    assert await pages(client, limit=2) == made[::-1]
    notice = (await client.get(WHERE)).json()["items"][-1]
    assert (notice["kind"], notice["payload"]) == ("campaign.stopped", {"results": 0})
    assert notice["subject"].startswith("cmp_")


async def test_who_follows_is_told_what_came_since_oldest_first(
    client: httpx.AsyncClient, account: Any, main: asyncpg.Pool, new_id: IdSource
) -> None:
    made = await told(main, new_id, account.account_id, 6)
    assert await pages(client, since=made[1], limit=2) == made[2:]
    assert await pages(client, since=made[5]) == []


async def test_another_accounts_notices_are_not_there(
    client: httpx.AsyncClient, stranger: Any, account: Any, main: asyncpg.Pool, new_id: IdSource
) -> None:
    made = await told(main, new_id, account.account_id, 2)
    for params in ({}, {"since": made[0]}):
        assert (await stranger.client.get(WHERE, params=params)).json()["items"] == []


@pytest.mark.parametrize("params", [{"since": "cmp_1"}, {"cursor": "x"}, {"count": "true"}, {"limit": 0}])
async def test_what_can_not_be_asked_for_is_refused(client: httpx.AsyncClient, params: dict[str, str]) -> None:
    assert (await client.get(WHERE, params=params)).status_code == 422
