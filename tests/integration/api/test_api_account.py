"""The account over REST: read, changed under its ETag, and each account its own alone."""

from typing import Any

import httpx

WHERE = "/v1/account"


async def test_an_account_reads_what_it_is_and_what_it_sets(client: httpx.AsyncClient) -> None:
    read = await client.get(WHERE)
    assert read.status_code == 200, read.text
    shown = read.json()
    assert shown["id"].startswith("acc_")
    assert shown["name"] == "default"
    assert (shown["auto_stop"], shown["auto_stop_share"], shown["auto_stop_after"]) == (True, 0.1, 500)
    assert (shown["tracking"], shown["tracking_url"], shown["honeypot"]) == ("full", "", True)


async def test_it_is_changed_under_its_etag(client: httpx.AsyncClient, stranger: Any) -> None:
    match = {"If-Match": (await client.get(WHERE)).headers["ETag"]}
    changed = await client.patch(WHERE, json={"auto_stop_share": 0.07}, headers=match)
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["auto_stop"], shown["auto_stop_share"], shown["auto_stop_after"]) == (True, 0.07, 500)
    assert (await client.patch(WHERE, json={"auto_stop": False}, headers=match)).status_code == 412
    assert (await client.patch(WHERE, json={"auto_stop": False})).status_code == 428
    match = {"If-Match": changed.headers["ETag"]}
    off = (await client.patch(WHERE, json={"auto_stop": False, "auto_stop_after": 50}, headers=match)).json()
    assert (off["auto_stop"], off["auto_stop_share"], off["auto_stop_after"]) == (False, 0.07, 50)
    assert (await client.get(WHERE)).json() == off
    match = {"If-Match": (await client.get(WHERE)).headers["ETag"]}
    choice = {"tracking": "aggregate", "tracking_url": "https://click.shop.example.jp/", "honeypot": False}
    read = (await client.patch(WHERE, json=choice, headers=match)).json()
    said = (read["tracking"], read["tracking_url"], read["honeypot"])
    assert said == ("aggregate", "https://click.shop.example.jp", False)
    assert (await stranger.client.get(WHERE)).json()["auto_stop"] is True


async def test_how_many_bounces_and_complaints_are_too_many_is_the_accounts_own(client: httpx.AsyncClient) -> None:
    read = await client.get(WHERE)
    names = ("auto_stop_complaints", "soft_bounces", "soft_bounce_days")
    assert [read.json()[name] for name in names] == [0.003, 3, 15]
    said = {"auto_stop_complaints": 0.001, "soft_bounces": 0, "soft_bounce_days": 30}
    changed = await client.patch(WHERE, json=said, headers={"If-Match": read.headers["ETag"]})
    assert changed.json() == {**read.json(), **said}


BAD_CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"auto_stop": "no"}, "/auto_stop"),
    ({"auto_stop_share": 0}, "/auto_stop_share"),
    ({"auto_stop_share": 1.01}, "/auto_stop_share"),
    ({"auto_stop_share": "10 %"}, "/auto_stop_share"),
    ({"auto_stop_after": 0}, "/auto_stop_after"),
    ({"auto_stop_after": 10**10}, "/auto_stop_after"),
    ({"auto_stop_after": 0.5}, "/auto_stop_after"),
    ({"auto_stop_complaints": 0}, "/auto_stop_complaints"),
    ({"soft_bounces": -1}, "/soft_bounces"),
    ({"soft_bounces": 101}, "/soft_bounces"),
    ({"soft_bounce_days": 0}, "/soft_bounce_days"),
    ({"soft_bounce_days": 367}, "/soft_bounce_days"),
    ({"tracking": "some"}, "/tracking"),
    ({"honeypot": "no"}, "/honeypot"),
    ({"tracking_url": "http://click.example.jp"}, "/tracking_url"),
    ({"tracking_url": "click.example.jp"}, "/tracking_url"),
    ({"tracking_url": "https://" + "x" * 200 + ".jp"}, "/tracking_url"),
    ({"name": "another"}, "/name"),
]


async def test_a_bad_change_is_refused_with_its_fault(client: httpx.AsyncClient) -> None:
    before = await client.get(WHERE)
    for change, pointer in BAD_CHANGES:
        answer = await client.patch(WHERE, json=change, headers={"If-Match": before.headers["ETag"]})
        assert answer.status_code == 422, answer.text
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert (await client.get(WHERE)).json() == before.json()
    assert (await client.get("/v1/audit?action=account.changed")).json()["items"] == []


async def test_reading_it_does_not_allow_to_change_it(accounts: Any, account: Any) -> None:
    async with accounts.client(account.account_id, "account:read") as reader:
        match = {"If-Match": (await reader.get(WHERE)).headers["ETag"]}
        assert (await reader.patch(WHERE, json={"auto_stop": False}, headers=match)).status_code == 403
