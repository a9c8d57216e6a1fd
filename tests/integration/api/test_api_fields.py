"""A member's language, zone and tags over REST, attributes under new names, and searching by a part."""

from typing import Any

import httpx

TARO = {"email": "taro@example.jp", "attributes": {"name": "山田太郎"}, "consent": {"source": "form"}}


async def test_language_zone_and_tags_stand_beside_the_address(client: httpx.AsyncClient) -> None:
    body = {**TARO, "locale": "ja_jp", "time_zone": "asia/tokyo", "tags": ["vip", "new", "vip"]}
    made = await client.post("/v1/members", json=body)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["locale"], shown["time_zone"], shown["tags"]) == ("ja-JP", "Asia/Tokyo", ["vip", "new"])
    assert shown["attributes"] == {"name": "山田太郎"}
    change = {"locale": None, "tags": []}
    changed = await client.patch(made.headers["Location"], json=change, headers={"If-Match": made.headers["ETag"]})
    assert (changed.json()["locale"], changed.json()["tags"]) == (None, [])
    assert changed.json()["time_zone"] == "Asia/Tokyo"
    bare = (await client.post("/v1/members", json={"email": "bare@example.jp"})).json()
    assert (bare["locale"], bare["time_zone"], bare["tags"], bare["attributes"]) == (None, None, [], {})


async def test_what_is_wrong_with_them_is_told_where_it_stands(client: httpx.AsyncClient) -> None:
    for change, pointers in (
        ({"locale": "japanese", "time_zone": "Tokyo"}, ["/locale", "/time_zone"]),
        ({"tags": ["a\nb"]}, ["/tags"]),
        ({"tags": ["x" * 101]}, ["/tags/0"]),
        ({"tags": "vip"}, ["/tags"]),
        ({"tags": ["vip"], "attributes": {"tags": ["vip"]}}, ["/tags"]),
        ({"attributes": {"locale": "japanese"}}, ["/attributes/locale"]),
    ):
        answer = await client.post("/v1/members", json={**TARO, **change})
        assert answer.status_code == 422, answer.text
        assert [fault["pointer"] for fault in answer.json()["errors"]] == pointers
    assert (await client.get("/v1/members")).json()["items"] == []


async def test_tags_are_masked_and_open_values_shown_to_who_may_only_list(
    client: httpx.AsyncClient, accounts: Any, account: Any
) -> None:
    made = await client.post("/v1/members", json={**TARO, "locale": "ja", "tags": ["vip", "debtor"]})
    async with accounts.client(account.account_id, "members:list") as other:
        shown = (await other.get(made.headers["Location"])).json()
    assert (shown["locale"], shown["tags"]) == ("ja", ["***"])


async def test_tags_are_added_and_taken_away_one_by_one(client: httpx.AsyncClient) -> None:
    where = (await client.post("/v1/members", json={**TARO, "tags": ["a", "b"]})).headers["Location"]
    moved = await client.post(f"{where}/tags", json={"add": ["c", "a"], "remove": ["b", "z"]})
    assert (moved.status_code, moved.json()["tags"]) == (200, ["a", "c"])
    assert (await client.post(f"{where}/tags", json={"remove": ["a", "c"]})).json()["tags"] == []
    rule = {"rule": {"attribute": "tags", "is_set": True}}
    assert (await client.post("/v1/segments/preview", json=rule)).json()["matching"] == 0
    assert (await client.post(f"{where}/tags", json={"add": ["a\tb"]})).status_code == 422


async def test_a_renamed_attribute_is_shown_by_its_new_name_and_taken_by_both(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/attributes", json={"name": "plan", "type": "text", "default": "free"})
    assert (made.json()["default"], made.json()["former_names"], made.json()["built_in"]) == ("free", [], False)
    where, member = made.headers["Location"], (await client.post("/v1/members", json=TARO)).headers["Location"]
    renamed = await client.patch(where, json={"name": "tier"}, headers={"If-Match": made.headers["ETag"]})
    assert (renamed.json()["name"], renamed.json()["former_names"]) == ("tier", ["plan"])
    assert renamed.json()["default"] == "free"
    assert (await client.get(member)).json()["attributes"] == {"name": "山田太郎", "tier": "free"}
    changed = await client.patch(member, json={"attributes": {"plan": "gold"}}, headers={"If-Match": '"1"'})
    assert changed.json()["attributes"]["tier"] == "gold"
    words = {"name": "n", "subject": "{{ plan }} {{ tier }}", "html": "<p>{{ plan }}</p>"}
    template = (await client.post("/v1/templates", json=words)).headers["Location"]
    for value in ({"member": member.rpartition("/")[2]}, {"values": {"plan": "gold"}}, {"values": {"tier": "gold"}}):
        assert (await client.post(f"{template}/render", json=value)).json()["subject"] == "gold gold"
    taken = await client.post("/v1/attributes", json={"name": "plan", "type": "text"})
    assert (taken.status_code, taken.json()["errors"][0]["pointer"]) == (409, "/name")
    without = await client.patch(where, json={"default": None}, headers={"If-Match": renamed.headers["ETag"]})
    assert without.json()["default"] is None


async def test_members_are_searched_by_part_page_by_page_and_what_was_sought_stands_nowhere(
    client: httpx.AsyncClient,
) -> None:
    for number in range(3):
        await client.post("/v1/members", json={"email": f"yama{number}@example.jp", "attributes": {"name": "山田"}})
    first = (await client.post("/v1/members/search", json={"part": "YAMA", "limit": 2})).json()
    assert [one["email"] for one in first["items"]] == ["yama0@example.jp", "yama1@example.jp"]
    rest = (await client.post("/v1/members/search", json={"part": "YAMA", "cursor": first["next"]})).json()
    assert ([one["email"] for one in rest["items"]], rest["scanned"]) == (["yama2@example.jp"], 1)
    assert rest["next"] is None
    log = await client.get("/v1/audit?action=member.searched")
    assert [one["detail"] for one in log.json()["items"]] == [{"by": "part", "hits": 1}, {"by": "part", "hits": 2}]
    assert "yama" not in log.text.lower()
    for body, pointer in (
        ({}, ""),
        ({"part": "a", "email": "taro@example.jp"}, ""),
        ({"part": ""}, "/part"),
        ({"part": "\u3000"}, "/part"),
        ({"part": "a", "cursor": "cur_x"}, "/cursor"),
        ({"part": "a", "limit": 501}, "/limit"),
        ({"email": "taro"}, "/email"),
    ):
        answer = await client.post("/v1/members/search", json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer), body
