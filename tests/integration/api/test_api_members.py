"""Members over REST: who may read what, and what is refused."""

from typing import Any

import asyncpg
import httpx

from core.ids import decode
from members.scopes import topic_scope

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


async def test_a_topic_that_is_left_stops_that_topic_s_mail_at_once_until_a_consent_to_it(
    client: httpx.AsyncClient, main: asyncpg.Pool, main_owner: asyncpg.Pool, vault_owner: asyncpg.Pool
) -> None:
    weekly, daily = [(await client.post("/v1/topics", json={"name": name})).json()["id"] for name in ("w", "d")]
    made = await client.post("/v1/members", json={**TARO, "topics": [weekly, daily]})
    where = made.headers["Location"]
    left = await client.patch(where, json={"topics": [daily]}, headers={"If-Match": made.headers["ETag"]})
    assert (left.json()["status"], left.json()["topics"]) == ("active", [daily])
    stop = await main.fetchrow("SELECT scope, reason, carried_at IS NOT NULL AS carried FROM stop")
    assert stop is not None
    assert tuple(stop) == (topic_scope(decode("top", weekly)), "unsubscribed", True)
    timeline = (await client.get(f"{where}/timeline")).json()["items"]
    assert [entry["scope"] for entry in timeline if entry["kind"] == "stop"] == [weekly]
    # A minute passes. A consent to all mail alone is none to the topic.
    await main_owner.execute("UPDATE stop SET occurred_at = occurred_at - interval '1 minute'")
    await vault_owner.execute("UPDATE suppression SET occurred_at = occurred_at - interval '1 minute'")
    anew = await client.patch(where, json={"consent": {"source": "form"}}, headers={"If-Match": left.headers["ETag"]})
    assert await main.fetchval("SELECT lifted_at FROM stop") is None
    joins = {"topics": [weekly, daily], "consent": {"source": "form"}}
    back = await client.patch(where, json=joins, headers={"If-Match": anew.headers["ETag"]})
    assert sorted(back.json()["topics"]) == sorted([weekly, daily])
    assert await main.fetchval("SELECT lifted_at IS NOT NULL FROM stop")


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


async def test_a_member_is_paused_and_resumed(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/members", json=TARO)
    where = made.headers["Location"]
    pause = {"paused_until": "2036-11-01T00:00:00Z"}
    assert (made.json()["tracking"], made.json()["least_days"]) == ("full", None)
    paused = await client.patch(where, json=pause, headers={"If-Match": '"1"'})
    assert (paused.json()["status"], paused.json()["paused_until"]) == ("paused", "2036-11-01T00:00:00Z")
    assert [one["status"] for one in (await client.get("/v1/members?status=paused")).json()["items"]] == ["paused"]
    resumed = await client.patch(where, json={"paused_until": None}, headers={"If-Match": '"2"'})
    assert (resumed.json()["status"], resumed.json()["paused_until"]) == ("active", None)
    past = await client.patch(where, json={"paused_until": "2020-01-01T00:00:00Z"}, headers={"If-Match": '"3"'})
    assert (past.status_code, past.json()["errors"][0]["pointer"]) == (422, "/paused_until")
    both = await client.patch(where, json={**pause, "withdrawn_by": "phone"}, headers={"If-Match": '"3"'})
    assert both.status_code == 422
    await client.patch(where, json={"withdrawn_by": "phone"}, headers={"If-Match": '"3"'})
    refused = await client.patch(where, json=pause, headers={"If-Match": '"4"'})
    assert (refused.status_code, refused.json()["type"]) == (409, "/v1/reference#status-forbids")


async def test_a_consent_is_shown_with_all_that_proves_it(client: httpx.AsyncClient) -> None:
    consent = {
        "source": "form",
        "given_at": "2026-11-01T10:00:00+09:00",
        "form_version": "2026-10",
        "confirmed_at": "2026-11-01T10:04:00+09:00",
        "origin": "192.0.2.7",
    }
    topic = (await client.post("/v1/topics", json={"name": "weekly"})).json()["id"]
    made = await client.post("/v1/members", json={**TARO, "topics": [topic], "consent": consent})
    assert made.json()["topics"] == [topic]
    records = (await client.get(f"{made.headers['Location']}/consents")).json()["items"]
    assert {record["scope"] for record in records} == {"all", topic}
    for record in records:
        assert (record["form_version"], record["origin"], record["link"]) == ("2026-10", "192.0.2.7", 1)
        assert record["confirmed_at"] == "2026-11-01T01:04:00Z"
        assert len(record["hash"]) == 64
    wrong = await client.post("/v1/members", json={**TARO, "consent": {"source": "form", "origin": "shop.example.jp"}})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/consent/origin")


async def test_a_suppression_by_hand_stops_what_runs_and_lifting_it_lets_mail_through(
    client: httpx.AsyncClient, main: asyncpg.Pool
) -> None:
    made = (await client.post("/v1/members", json=TARO)).json()
    topic = (await client.post("/v1/topics", json={"name": "weekly"})).json()["id"]
    scoped = await client.post("/v1/suppressions", json={"email": TARO["email"], "scope": topic})
    assert scoped.json()["scope"] == topic
    of_topic = "SELECT lifted_at IS NULL FROM stop WHERE scope LIKE 'topic:%'"
    assert await main.fetchval(of_topic)
    entry = await client.post("/v1/suppressions", json={"domain": "example.jp"})
    assert (entry.json()["kind"], entry.json()["scope"], entry.json()["reason"]) == ("domain", "all", "manual")
    row = await main.fetchrow("SELECT member_id, reason, carried_at, lifted_at FROM stop WHERE scope = 'all'")
    assert row is not None
    assert (row["member_id"], row["reason"], row["lifted_at"]) == (decode("mem", made["id"]), "manual", None)
    assert row["carried_at"] is not None
    assert (await client.delete(entry.headers["Location"])).status_code == 204
    assert await main.fetchval("SELECT lifted_at IS NOT NULL FROM stop WHERE scope = 'all'")
    assert await main.fetchval(of_topic)
    assert (await client.get(scoped.headers["Location"])).json() == scoped.json()
    assert (await client.delete(scoped.headers["Location"])).status_code == 204
    assert not await main.fetchval(of_topic)


async def test_a_suppression_names_one_thing_in_a_known_scope(client: httpx.AsyncClient) -> None:
    for body, pointer in (
        ({}, ""),
        ({"email": "a@example.jp", "domain": "example.jp"}, ""),
        ({"domain": "taro@example.jp"}, "/domain"),
        ({"hash": "ab"}, "/hash"),
        ({"email": "a@example.jp", "scope": "global"}, "/scope"),
        ({"email": "a@example.jp", "scope": "top_01jd0n4v7m8x2e6g9qk3s5t7wz"}, "/scope"),
        ({"email": "a@example.jp", "reason": "erased"}, "/reason"),
    ):
        answer = await client.post("/v1/suppressions", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["errors"][0]["pointer"] == pointer, answer.text
    assert (await client.get("/v1/suppressions")).json()["items"] == []


async def test_a_suppression_list_goes_in_and_out_as_a_file(client: httpx.AsyncClient, main: asyncpg.Pool) -> None:
    await client.post("/v1/members", json=TARO)
    topic = (await client.post("/v1/topics", json={"name": "weekly"})).json()["id"]
    file = f"email,reason,scope\r\ntaro@example.jp,complained,{topic}\r\nnobody\r\n".encode()
    await client.post("/v1/suppressions/import", content=file, headers={"Content-Type": "text/csv"})
    assert await main.fetchval("SELECT scope FROM stop") == topic_scope(decode("top", topic))
    file = b"email,reason\r\ntaro@example.jp,complained\r\nnobody\r\n"
    taken = await client.post("/v1/suppressions/import", content=file, headers={"Content-Type": "text/csv"})
    assert (taken.json()["added"], taken.json()["refused"]) == (1, 1)
    assert [refusal["line"] for refusal in taken.json()["refusals"]] == [3]
    assert await main.fetchval("SELECT reason FROM stop WHERE scope = 'all'") == "manual"
    given = await client.get("/v1/suppressions/export")
    assert given.headers["content-type"].startswith("text/csv")
    assert given.text.count("\r\n") == 3
    again = await client.post("/v1/suppressions/import", content=given.content, headers={"Content-Type": "text/csv"})
    assert (again.json()["added"], again.json()["known"]) == (0, 2)
    assert (await client.post("/v1/suppressions/import", content=file)).status_code == 415


async def test_topics_are_made_changed_and_removed(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/topics", json={"name": "weekly", "label": {"ja": "週刊"}})
    where = made.headers["Location"]
    changed = await client.patch(where, json={"label": {"en": "Weekly"}}, headers={"If-Match": made.headers["ETag"]})
    assert (changed.json()["name"], changed.json()["label"]) == ("weekly", {"en": "Weekly"})
    assert (await client.get("/v1/topics?count=true")).json() == {"items": [changed.json()], "next": None, "count": 1}
    assert (await client.post("/v1/topics", json={"name": "weekly"})).status_code == 409
    assert (await client.delete(where)).status_code == 204
    assert (await client.get(where)).status_code == 404
