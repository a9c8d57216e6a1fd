"""Members over REST: who may read what, and what is refused."""

from typing import Any

import asyncpg
import httpx

from core.ids import decode

TARO = {"email": "taro@example.jp", "attributes": {"name": "山田太郎"}, "consent": {"source": "form"}}


async def test_personal_fields_are_masked_without_the_scope(
    client: httpx.AsyncClient, accounts: Any, account: Any
) -> None:
    await client.post("/v1/attributes", json={"name": "city", "type": "text", "protection": "open"})
    await client.post("/v1/attributes", json={"name": "shop", "type": "text", "protection": "matchable"})
    body = {**TARO, "attributes": {"name": "山田太郎", "city": "tokyo", "shop": "北"}}
    made = await client.post("/v1/members", json=body)
    assert made.status_code == 201, made.text
    where = made.headers["Location"]
    assert (await client.get(where)).json()["attributes"] == body["attributes"]
    async with accounts.client(account.account_id, "members:list") as other:
        shown = (await other.get(where)).json()
        assert shown["email"] == "t***@example.jp"
        assert shown["attributes"] == {"name": "***", "city": "tokyo", "shop": "***"}
        assert (await other.get("/v1/members")).json()["items"] == [shown]
        assert (await other.post("/v1/members/search", json={"email": "taro@example.jp"})).status_code == 403


async def test_a_member_is_found_by_exact_address(client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/members", json=TARO)).json()
    found = await client.post("/v1/members/search", json={"email": " Taro@EXAMPLE.jp"})
    assert [one["id"] for one in found.json()["items"]] == [made["id"]]
    assert (await client.post("/v1/members/search", json={"email": "tar@example.jp"})).json()["items"] == []
    assert (await client.post("/v1/members/search", json={"email": "taro"})).status_code == 422


async def test_a_change_needs_the_newest_revision(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/members", json=TARO)
    where, etag = made.headers["Location"], made.headers["ETag"]
    changed = await client.patch(where, json={"attributes": {"name": None}}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["attributes"]) == (200, {})
    assert (await client.patch(where, json={"email": "b@example.jp"}, headers={"If-Match": etag})).status_code == 412
    assert (await client.get(where)).json()["email"] == "taro@example.jp"


async def test_a_withdrawal_reaches_what_runs_and_the_ledger(client: httpx.AsyncClient, main: asyncpg.Pool) -> None:
    made = await client.post("/v1/members", json=TARO)
    where = made.headers["Location"]
    changed = await client.patch(where, json={"withdrawn_by": "phone"}, headers={"If-Match": made.headers["ETag"]})
    assert changed.json()["status"] == "unsubscribed"
    ledger = (await client.get(f"{where}/consents")).json()["items"]
    assert [(entry["kind"], entry["source"]) for entry in ledger] == [("given", "form"), ("withdrawn", "phone")]
    assert await main.fetchval("SELECT reason FROM stop") == "unsubscribed"


async def test_a_consent_given_after_a_withdrawal_lets_mail_through_again(
    client: httpx.AsyncClient, main: asyncpg.Pool, main_owner: asyncpg.Pool, vault_owner: asyncpg.Pool
) -> None:
    made = await client.post("/v1/members", json=TARO)
    where = made.headers["Location"]
    left = await client.patch(where, json={"withdrawn_by": "phone"}, headers={"If-Match": made.headers["ETag"]})
    # A minute passes.
    await main_owner.execute("UPDATE stop SET occurred_at = occurred_at - interval '1 minute'")
    await vault_owner.execute("UPDATE suppression SET occurred_at = occurred_at - interval '1 minute'")
    back = await client.patch(where, json={"consent": {"source": "form"}}, headers={"If-Match": left.headers["ETag"]})
    assert back.json()["status"] == "active"
    assert await main.fetchval("SELECT lifted_at IS NOT NULL FROM stop")
    gone = await client.patch(where, json={"withdrawn_by": "phone"}, headers={"If-Match": back.headers["ETag"]})
    assert gone.json()["status"] == "unsubscribed"
    assert await main.fetchval("SELECT count(*) FROM stop WHERE lifted_at IS NULL") == 1


async def test_an_erased_member_is_gone_and_suppressed(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/members", json=TARO)
    assert (await client.post(f"{made.headers['Location']}/erase")).status_code == 204
    assert (await client.get(made.headers["Location"])).status_code == 404
    assert (await client.get(f"{made.headers['Location']}/consents")).status_code == 404
    entries = (await client.get("/v1/suppressions")).json()["items"]
    assert [entry["reason"] for entry in entries] == ["erased"]


BAD_MEMBERS: list[tuple[dict[str, object], int, str]] = [
    ({"email": "taro"}, 422, "/email"),
    ({"email": "a\r\nb@example.jp"}, 422, "/email"),
    ({"email": 7}, 422, "/email"),
    ({"email": "x" * 400}, 422, "/email"),
    ({"attributes": {"shoe_size": 7}}, 422, "/attributes/shoe_size"),
    ({"attributes": {"name": 7}}, 422, "/attributes/name"),
    ({"attributes": {"name": "a\u0000b"}}, 400, ""),
    ({"attributes": []}, 422, "/attributes"),
    ({"groups": ["mem_00000000000000000000000000"]}, 422, "/groups/0"),
    ({"groups": ["grp_00000000000000000000000000"]}, 422, "/groups/0"),
    ({"consent": {"source": "form", "given_at": "yesterday"}}, 422, "/consent/given_at"),
    ({"consent": {"source": ""}}, 422, "/consent/source"),
    ({"status": "active"}, 422, "/status"),
]


async def test_bad_input_is_told_and_changes_nothing(client: httpx.AsyncClient) -> None:
    for change, status, pointer in BAD_MEMBERS:
        answer = await client.post("/v1/members", json={**TARO, **change})
        assert answer.status_code == status, answer.text
        assert pointer in {fault["pointer"] for fault in answer.json()["errors"]} or not pointer
        assert "taro@" not in answer.text
        assert (await client.get("/v1/members")).json()["items"] == []


async def test_an_address_is_taken_once(client: httpx.AsyncClient) -> None:
    await client.post("/v1/members", json=TARO)
    again = await client.post("/v1/members", json=TARO)
    assert (again.status_code, again.json()["type"]) == (409, "/v1/reference#address-taken")
    assert again.json()["errors"][0]["pointer"] == "/email"


NO_OBJECTS: list[bytes] = [
    b"{",
    b"[1",
    b'"x"',
    b"\xff",
    b"NaN",
    b"",
    b"[" * 100_000,
    b'{"email": "\\ud800"}',
    b"null",
    b"[]",
]


async def test_what_is_no_json_object_is_refused(client: httpx.AsyncClient) -> None:
    for body in NO_OBJECTS:
        answer = await client.post("/v1/members", content=body)
        assert answer.status_code in {400, 422}
        assert answer.headers["content-type"] == "application/problem+json"


async def test_json_is_taken_as_curl_sends_it_and_nothing_else(client: httpx.AsyncClient) -> None:
    body = b'{"email": "taro@example.jp"}'
    for kind, status in (
        ("application/x-www-form-urlencoded", 201),
        ("application/merge-patch+json", 409),
        ("text/plain", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/xml", 415),
    ):
        answer = await client.post("/v1/members", content=body, headers={"Content-Type": kind})
        assert answer.status_code == status, kind


BAD_QUERIES: list[str] = ["limit=0", "limit=501", "limit=x", "cursor=abc", "page=2", "status=gone", "limit=%00"]


async def test_a_bad_query_is_told(client: httpx.AsyncClient) -> None:
    for query in BAD_QUERIES:
        answer = await client.get(f"/v1/members?{query}")
        name = query.partition("=")[0]
        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/query/{name}"]


async def test_lists_come_in_pages(client: httpx.AsyncClient) -> None:
    made = [(await client.post("/v1/members", json={"email": f"m{n}@example.jp"})).json()["id"] for n in range(5)]
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = (await client.get("/v1/members", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next"]
    assert (seen, cursor) == (made, None)
    counted = (await client.get("/v1/attributes", params={"count": True})).json()
    assert counted["count"] == 4


async def test_a_suppressed_address_is_listed_by_hash_and_can_be_lifted(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/suppressions", json={"email": "taro@example.jp"})
    assert made.status_code == 201
    assert "taro" not in made.text
    refused = await client.post("/v1/members", json=TARO)
    assert (refused.status_code, refused.json()["type"]) == (409, "/v1/reference#suppressed")
    assert (await client.get(made.headers["Location"])).json() == made.json()
    assert (await client.delete(made.headers["Location"])).status_code == 204
    assert (await client.post("/v1/members", json=TARO)).status_code == 201
    for wrong in ("sup_", "x", made.json()["id"].upper(), made.json()["id"][4:]):
        assert (await client.get(f"/v1/suppressions/{wrong}")).status_code == 404


async def test_lifting_a_bounce_from_the_suppression_list_lets_mail_through_again(
    client: httpx.AsyncClient, main: asyncpg.Pool, main_owner: asyncpg.Pool
) -> None:
    made = (await client.post("/v1/members", json=TARO)).json()
    row = await main.fetchrow("SELECT account_id FROM api_key")
    assert row is not None
    await main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'bounced', app.now())",
        *(row["account_id"], decode("mem", made["id"])),
    )
    entry = await client.post("/v1/suppressions", json={"email": TARO["email"]})
    assert (await client.delete(entry.headers["Location"])).status_code == 204
    assert await main.fetchval("SELECT lifted_at IS NOT NULL FROM stop")
    assert (await client.delete(entry.headers["Location"])).status_code == 404
