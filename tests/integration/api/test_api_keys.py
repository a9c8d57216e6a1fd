"""Keys: recognised by digest, ended at once, noted once a minute."""

from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from api.services import Services
from core.errors import InvalidInput, NotFound
from tests.support.postgres import shift_clock

NO_KEYS: list[str | None] = [
    None,
    "",
    "Bearer",
    "Bearer ",
    "Bearer tdk_wrong",
    "Basic dGRrOng=",
    "Bearer " + "x" * 5000,
    "tdk_x",
]


async def test_whoever_has_no_valid_key_is_told_the_same(client: httpx.AsyncClient) -> None:
    for authorization in NO_KEYS:
        headers = {"Authorization": authorization} if authorization is not None else {}
        client.headers.pop("Authorization", None)
        answer = await client.get("/v1/templates", headers=headers)
        problem = answer.json()
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="todoku"'
        assert problem.pop("instance") == answer.headers["X-Request-Id"]
        assert problem == {
            "type": "/v1/reference#unauthenticated",
            "title": "A valid API key is needed",
            "status": 401,
            "detail": "Send Authorization: Bearer tdk_… with a key that is valid",
            "errors": [],
        }


async def test_a_revoked_key_is_refused_from_then_on(app: FastAPI, services: Services, account: Any) -> None:
    account_id = account.account_id
    made = await services.keys.create(account_id, "console", ["templates:read"])
    assert made.token.startswith("tdk_")
    assert len(made.token) == 56
    headers = {"Authorization": f"Bearer {made.token}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as caller:
        assert (await caller.get("/v1/templates")).status_code == 200
        revoked = await services.keys.revoke(account_id, made.key.api_key_id)
        assert revoked.revoked_at is not None
        assert (await caller.get("/v1/templates")).status_code == 401
    again = await services.keys.revoke(account_id, made.key.api_key_id)
    assert again.revoked_at == revoked.revoked_at


async def test_another_accounts_key_can_not_be_revoked(services: Services, account: Any, stranger: Any) -> None:
    made = await services.keys.create(account.account_id, "console", ["templates:read"])
    with pytest.raises(NotFound):
        await services.keys.revoke(stranger.account_id, made.key.api_key_id)
    assert await services.keys.authenticate(made.token) is not None


async def test_the_last_use_is_noted_once_a_minute(services: Services, account: Any, main_owner: asyncpg.Pool) -> None:
    made = await services.keys.create(account.account_id, "busy", ["templates:read"])

    async def last_use() -> object:
        found = await services.keys.authenticate(made.token)
        assert found is not None
        keys = await services.keys.list(account.account_id)
        return next(key.last_used_at for key in keys if key.api_key_id == made.key.api_key_id)

    first = await last_use()
    assert first is not None
    assert await last_use() == first
    await shift_clock(main_owner, 61)
    assert await last_use() != first


async def test_the_token_is_nowhere_in_the_database(services: Services, account: Any, main: asyncpg.Pool) -> None:
    made = await services.keys.create(account.account_id, "secret", ["templates:read"])
    rows = await main.fetch("SELECT api_key::text AS row FROM api_key")
    assert all(made.token[4:20] not in row["row"] for row in rows)


NO_NAMES: list[tuple[str, list[str]]] = [("x", []), ("x", ["everything"]), ("", ["templates:read"])]


async def test_a_key_without_name_or_known_scopes_is_not_made(services: Services, account: Any) -> None:
    for name, scopes in NO_NAMES:
        with pytest.raises(InvalidInput):
            await services.keys.create(account.account_id, name, scopes)
