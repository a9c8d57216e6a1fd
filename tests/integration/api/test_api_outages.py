"""While a database is away: an answer that says so, and nothing of what was inside."""

import asyncpg
import httpx

from core.database import close_pool


async def test_a_database_that_is_away_is_503_with_a_time_to_try_again(
    client: httpx.AsyncClient, main: asyncpg.Pool
) -> None:
    await close_pool(main)
    answer = await client.get("/v1/templates")
    assert (answer.status_code, answer.json()["type"]) == (503, "/v1/reference#unavailable")
    assert answer.headers["Retry-After"] == "5"


async def test_a_post_that_met_an_outage_can_be_repeated_under_its_key(
    client: httpx.AsyncClient, vault: asyncpg.Pool, main: asyncpg.Pool
) -> None:
    await close_pool(vault)
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        answer = await client.post("/v1/groups", json={"name": "x"}, headers=headers)
        assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (503, None)
    assert await main.fetchval("SELECT count(*) FROM idempotency") == 0
