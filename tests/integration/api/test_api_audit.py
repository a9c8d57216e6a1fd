"""The audit log over REST: searches, erasures, downloads and keys leave an entry that names nobody."""

from typing import Any

import httpx

from api.services import Services
from core.ids import encode

TARO = {"email": "taro@example.jp", "attributes": {"name": "山田太郎"}, "consent": {"source": "form"}}


async def entries(client: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/audit{query}")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_searches_and_erasures_stand_there_with_the_key_that_asked(
    client: httpx.AsyncClient, account: Any
) -> None:
    made = (await client.post("/v1/members", json=TARO)).json()
    await client.post("/v1/members/search", json={"email": TARO["email"]})
    await client.post("/v1/members/search", json={"email": "nobody@example.jp"})
    await client.post(f"/v1/members/{made['id']}/erase")
    erased, nobody, found, key = await entries(client)
    assert (erased["action"], erased["object"]) == ("member.erased", made["id"])
    assert found["detail"] == {"by": "email", "hits": 1}
    assert nobody["detail"] == {"by": "email", "hits": 0}
    assert (key["action"], key["actor"]) == ("api_key.created", "operator")
    assert {one["actor"] for one in (erased, nobody, found)} == {key["object"]}


async def test_an_erasure_of_nobody_leaves_no_entry(client: httpx.AsyncClient, services: Services) -> None:
    assert (await client.post(f"/v1/members/{encode('mem', services.new_id())}/erase")).status_code == 404
    assert await entries(client, "?action=member.erased") == []


async def test_a_downloaded_reject_file_stands_there(story: Any, client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/v1/imports/{story.ids['import_id']}/rejects")).status_code == 200
    [entry] = await entries(client, "?action=import.rejects_downloaded")
    assert (entry["object"], entry["detail"]) == (story.ids["import_id"], {"rows": 0})


async def test_a_changed_protection_stands_there(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/attributes", json={"name": "shop", "type": "text"})
    where, shop = made.headers["Location"], made.json()["id"]
    await client.patch(where, json={"protection": "open"}, headers={"If-Match": '"1"'})
    await client.patch(where, json={"protection": "open", "required": True}, headers={"If-Match": '"2"'})
    [entry] = await entries(client, "?action=attribute.protection_changed")
    assert (entry["object"], entry["detail"]) == (shop, {"from": "sealed", "to": "open"})


async def test_a_downloaded_suppression_list_stands_there(client: httpx.AsyncClient) -> None:
    await client.post("/v1/suppressions", json={"address": "taro@example.jp"})
    assert (await client.get("/v1/suppressions/export")).status_code == 200
    [entry] = await entries(client, "?action=suppression.exported")
    assert (entry["object"], entry["detail"]) == ("suppressions", {})


async def test_keys_made_and_revoked_stand_there(client: httpx.AsyncClient, services: Services, account: Any) -> None:
    made = await services.keys.create(account.account_id, "console", ["templates:read"])
    await services.keys.revoke(account.account_id, made.key.api_key_id)
    revoked, created, *_ = await entries(client)
    shown = encode("key", made.key.api_key_id)
    assert [(one["action"], one["object"]) for one in (created, revoked)] == [
        ("api_key.created", shown),
        ("api_key.revoked", shown),
    ]
    assert created["detail"] == {"scopes": ["templates:read"]}


async def test_the_log_is_read_page_by_page_and_by_its_own_account(client: httpx.AsyncClient, stranger: Any) -> None:
    for number in range(3):
        await client.post("/v1/members/search", json={"email": f"m{number}@example.jp"})
    first = (await client.get("/v1/audit?limit=2&action=member.searched")).json()
    rest = (await client.get(f"/v1/audit?limit=2&action=member.searched&cursor={first['next']}")).json()
    assert len(first["items"] + rest["items"]) == 3
    assert rest["next"] is None
    assert await entries(stranger.client, "?action=member.searched") == []
    assert (await client.get("/v1/audit?action=member.admired")).status_code == 422


async def test_where_the_log_can_not_be_written_nobody_is_shown_and_nobody_erased(
    client: httpx.AsyncClient, main_owner: Any
) -> None:
    made = (await client.post("/v1/members", json=TARO)).json()
    await main_owner.execute("REVOKE INSERT ON audit FROM todoku_app")
    sought = await client.post("/v1/members/search", json={"email": TARO["email"]})
    assert (sought.status_code, made["id"] in sought.text) == (500, False)
    assert (await client.post(f"/v1/members/{made['id']}/erase")).status_code == 500
    assert (await client.get(f"/v1/members/{made['id']}")).status_code == 200
