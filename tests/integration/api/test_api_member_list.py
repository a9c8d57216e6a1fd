"""Listing members over REST: filters, both directions, counting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from core.ids import decode


async def listed(client: httpx.AsyncClient, **query: Any) -> list[str]:
    answer = await client.get("/v1/members", params=query)
    assert answer.status_code == 200, answer.text
    return [one["email"].partition("@")[0] for one in answer.json()["items"]]


@pytest.fixture
async def group(client: httpx.AsyncClient) -> str:
    """Four members: a to d; b and d are in the group, c and d are tagged, a and c live in tokyo, d did not consent."""
    made: str = (await client.post("/v1/groups", json={"name": "Shop"})).json()["id"]
    await client.post("/v1/attributes", json={"name": "city", "type": "text", "protection": "open"})
    for name in "abcd":
        body: dict[str, Any] = {"email": f"{name}@example.jp", "consent": {"source": "form"}}
        if name in "bd":
            body["groups"] = [made]
        if name in "cd":
            body["tags"] = ["vip", "new"]
        if name in "ac":
            body["attributes"] = {"city": "tokyo"}
        if name == "d":
            del body["consent"]
        assert (await client.post("/v1/members", json=body)).status_code == 201
    return made


async def test_filters_narrow_the_list_together(client: httpx.AsyncClient, group: str) -> None:
    rule = {"attribute": "city", "equals": "tokyo"}
    segment = (await client.post("/v1/segments", json={"name": "Tokyo", "rule": rule})).json()["id"]
    assert await listed(client) == ["a", "b", "c", "d"]
    assert await listed(client, group=group) == ["b", "d"]
    assert await listed(client, tag="vip") == ["c", "d"]
    assert await listed(client, segment=segment) == ["a", "c"]
    assert await listed(client, status="active") == ["a", "b", "c"]
    assert await listed(client, group=group, tag="vip") == ["d"]
    assert await listed(client, segment=segment, tag="vip", status="active") == ["c"]
    assert await listed(client, group=group, segment=segment) == []


async def test_the_newest_come_first_if_asked_and_pages_go_on(client: httpx.AsyncClient, group: str) -> None:
    assert await listed(client, sort="-created_at") == ["d", "c", "b", "a"]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None and len(seen) <= 4:
        query: dict[str, Any] = {"sort": "-created_at", "limit": 2, "status": "active"} | (
            {"cursor": cursor} if cursor else {}
        )
        page = (await client.get("/v1/members", params=query)).json()
        seen += [one["email"][0] for one in page["items"]]
        cursor = page["next"]
    assert seen == ["c", "b", "a"]
    assert group


async def test_who_came_since_is_listed_and_counted(
    client: httpx.AsyncClient, group: str, vault_owner: asyncpg.Pool
) -> None:
    for name, days in (("a", 3), ("b", 2)):
        found = (await client.post("/v1/members/search", json={"email": f"{name}@example.jp"})).json()["items"][0]
        await vault_owner.execute(
            "UPDATE member SET created_at = created_at - make_interval(days => $2) WHERE member_id = $1",
            decode("mem", found["id"]),
            days,
        )
    since = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert await listed(client, created_since=since) == ["c", "d"]
    assert await listed(client, created_since=since, sort="-created_at") == ["d", "c"]
    for query, count in (({}, 4), ({"created_since": since}, 2), ({"group": group}, 2), ({"tag": "gone"}, 0)):
        page = (await client.get("/v1/members", params={"count": True, "limit": 1, **query})).json()
        assert (page["count"], len(page["items"])) == (count, min(count, 1))
    assert (await client.get("/v1/members")).json()["count"] is None


async def test_a_filter_that_can_not_be_asked_is_told(client: httpx.AsyncClient) -> None:
    sealed = {"name": "Taros", "rule": {"attribute": "name", "starts_with": "太郎"}}
    scanned = (await client.post("/v1/segments", json=sealed)).json()["id"]
    for query, code in (
        ({"group": "grp_00000000000000000000000000"}, "unknown-group"),
        ({"segment": "seg_00000000000000000000000000"}, "unknown-segment"),
        ({"segment": scanned}, "takes-opening"),
        ({"sort": "email"}, "literal-error"),
        ({"created_since": "yesterday"}, "value-error"),
        ({"tag": ""}, "string-too-short"),
    ):
        answer = await client.get("/v1/members", params=query)
        (fault,) = answer.json()["errors"]
        assert (answer.status_code, fault["pointer"], fault["code"]) == (422, f"/query/{next(iter(query))}", code)
