"""Segments over REST: previews at once and followed, and the schema of a rule."""

from typing import Any

import asyncpg
import httpx

TARO = {"email": "taro@example.jp", "attributes": {"name": "山田太郎"}, "consent": {"source": "form"}}


async def test_segments_are_previewed_masked(client: httpx.AsyncClient) -> None:
    await client.post("/v1/attributes", json={"name": "city", "type": "text", "protection": "open"})
    await client.post("/v1/members", json={**TARO, "attributes": {"city": "tokyo"}})
    await client.post("/v1/members", json={"email": "b@example.jp", "attributes": {"city": "tokyo"}})
    rule = {"attribute": "city", "equals": "tokyo"}
    found = await client.post("/v1/segments/preview", json={"rule": rule})
    assert found.json() == {
        "matching": 2,
        "sendable": 1,
        "left_out": {"pending": 1},
        "samples": ["t***@example.jp"],
    }
    made = await client.post("/v1/segments", json={"name": "Tokyo", "rule": rule})
    assert (await client.post(f"{made.headers['Location']}/preview")).json() == found.json()


async def test_a_preview_that_takes_opening_members_is_followed_and_cancelled(
    client: httpx.AsyncClient, services: Any, account: Any, main: asyncpg.Pool
) -> None:
    await client.post("/v1/members", json={**TARO, "attributes": {"name": "山田 太郎"}})
    begun = await client.post("/v1/segments/preview", json={"rule": {"attribute": "name", "starts_with": "山田"}})
    assert begun.status_code == 202
    where = begun.headers["Location"]
    assert begun.json() == {
        "id": where.rpartition("/")[2],
        "state": "waiting",
        "scan": True,
        "progress": {"done": 0, "total": 1},
        "result": {"matching": 0, "sendable": 0, "left_out": {}, "samples": []},
        "errors": [],
        "created_at": begun.json()["created_at"],
    }
    job = await main.fetchrow("SELECT kind, state, subject_id FROM job")
    assert job is not None
    assert (job["kind"], job["state"]) == ("preview", "ready")
    await services.previews.run(account.account_id, job["subject_id"], lambda: True)
    made = (await client.get(where)).json()
    assert (made["state"], made["progress"]) == ("finished", {"done": 1, "total": 1})
    assert made["result"] == {"matching": 1, "sendable": 1, "left_out": {}, "samples": ["t***@example.jp"]}
    assert (await client.delete(where)).status_code == 204
    assert (await client.get(where)).status_code == 404


async def test_a_rule_s_schema_takes_every_kind_of_node_and_names_no_other(client: httpx.AsyncClient) -> None:
    document = (await client.get("/v1/openapi.json")).json()
    schema = document["components"]["schemas"]["Rule"]
    nodes = {node for one in schema["oneOf"] for node in one["properties"]}
    refused = await client.post("/v1/segments/preview", json={"rule": {"none": 1}})
    (fault,) = refused.json()["errors"]
    named = set(fault["detail"].removeprefix("A rule has one of: ").split(", "))
    refused = await client.post("/v1/segments/preview", json={"rule": {"attribute": "name"}})
    (fault,) = refused.json()["errors"]
    operators = set(fault["detail"].removeprefix("With attribute stands one of: ").split(", "))
    assert nodes == named | operators
    body = document["components"]["schemas"]["NewSegment"]["properties"]["rule"]
    assert body == {"$ref": "#/components/schemas/Rule"}
