"""One key, one request, one answer: in parallel, repeated, after a crash, and with other bodies."""

import asyncio
from typing import Any

import asyncpg
import httpx

from tests.support.postgres import shift_clock

GROUP = {"name": "Tokyo"}
KEY = {"Idempotency-Key": "taro@example.jp tries"}


async def count(client: httpx.AsyncClient) -> int:
    return len((await client.get("/v1/groups")).json()["items"])


async def test_ten_parallel_posts_with_one_key_make_one_thing(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post("/v1/groups", json=GROUP, headers=KEY) for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.text for answer in made}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in made) == 1
    running = {answer.json()["type"] for answer in answers if answer.status_code == 409}
    assert running <= {"/v1/reference#idempotency-in-progress"}
    assert await count(client) == 1


async def test_the_same_request_gets_the_same_answer(client: httpx.AsyncClient) -> None:
    first = await client.post("/v1/groups", json=GROUP, headers=KEY)
    again = await client.post("/v1/groups", json=GROUP, headers=KEY)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Content-Type"] == first.headers["Content-Type"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers


async def test_a_fault_is_an_answer_too(client: httpx.AsyncClient) -> None:
    first = await client.post("/v1/groups", json={}, headers=KEY)
    again = await client.post("/v1/groups", json={}, headers=KEY)
    assert (first.status_code, again.status_code, again.content) == (422, 422, first.content)


async def test_the_same_key_with_another_request_is_refused(client: httpx.AsyncClient) -> None:
    await client.post("/v1/groups", json=GROUP, headers=KEY)
    for path, body in (("/v1/groups", {"name": "Osaka"}), ("/v1/members/search", GROUP)):
        answer = await client.post(path, json=body, headers=KEY)
        assert (answer.status_code, answer.json()["type"]) == (422, "/v1/reference#idempotency-key-reused")
    assert await count(client) == 1


async def test_two_accounts_may_use_the_same_key(client: httpx.AsyncClient, stranger: Any) -> None:
    first = await client.post("/v1/groups", json=GROUP, headers=KEY)
    other = await stranger.client.post("/v1/groups", json=GROUP, headers=KEY)
    assert first.status_code == other.status_code == 201
    assert first.json()["id"] != other.json()["id"]


async def test_a_key_is_free_again_a_day_later(client: httpx.AsyncClient, main_owner: asyncpg.Pool) -> None:
    await client.post("/v1/groups", json=GROUP, headers=KEY)
    await shift_clock(main_owner, 24 * 3600 + 1)
    answer = await client.post("/v1/groups", json={"name": "Osaka"}, headers=KEY)
    assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (201, None)


async def test_after_a_crash_a_key_is_held_for_a_minute(
    client: httpx.AsyncClient, main: asyncpg.Pool, main_owner: asyncpg.Pool
) -> None:
    await client.post("/v1/groups", json=GROUP, headers=KEY)
    await main.execute("UPDATE idempotency SET status = NULL, body = NULL")
    assert (await client.post("/v1/groups", json={"name": "Osaka"}, headers=KEY)).status_code == 409
    await shift_clock(main_owner, 61)
    assert (await client.post("/v1/groups", json={"name": "Osaka"}, headers=KEY)).status_code == 201


async def test_nothing_readable_of_request_or_answer_is_kept(client: httpx.AsyncClient, main: asyncpg.Pool) -> None:
    answer = await client.post("/v1/members", json={"email": "taro@example.jp"}, headers=KEY)
    assert answer.json()["email"] == "taro@example.jp"
    row = await main.fetchrow("SELECT * FROM idempotency")
    assert row["status"] == 201
    assert b"taro" not in row["body"]
    assert "taro" not in row["key"]
    assert "taro" not in str(row["headers"])


async def test_a_key_that_can_not_be_used_is_refused(client: httpx.AsyncClient) -> None:
    for key in ("", "x" * 256, "\u00e9"):
        headers = [(b"Idempotency-Key", key.encode("latin-1"))]
        assert (await client.post("/v1/groups", json=GROUP, headers=headers)).status_code == 400
    assert await count(client) == 0


async def test_an_answer_is_not_replayed_to_a_key_with_other_rights(
    client: httpx.AsyncClient, accounts: Any, account: Any
) -> None:
    await client.post("/v1/members", json={"email": "taro@example.jp"}, headers=KEY)
    async with accounts.client(account.account_id, "members:write") as other:
        answer = await other.post("/v1/members", json={"email": "taro@example.jp"}, headers=KEY)
    assert (answer.status_code, answer.json()["type"]) == (422, "/v1/reference#idempotency-key-reused")
