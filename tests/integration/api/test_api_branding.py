"""The branding over REST: changed under its ETag, every fault at once, each account its own alone."""

import re
from base64 import b64decode, b64encode
from typing import Any

import httpx

WHERE = "/v1/account/branding"
SENDER = {"name": "店", "address": "news@shop.example.jp", "postal_address": "東京都1-1", "contact": "03-0000-0000"}
PNG = b64encode(b"\x89PNG\r\n\x1a\n").decode()


async def etag(client: httpx.AsyncClient) -> dict[str, str]:
    return {"If-Match": (await client.get(WHERE)).headers["ETag"]}


async def test_an_account_has_a_look_before_it_sets_one(client: httpx.AsyncClient) -> None:
    shown = (await client.get(WHERE)).json()
    assert (shown["name"], shown["language"], shown["signup_open"]) == ("default", "ja", False)
    assert shown["preview_url"].startswith("https://pages.example.jp/preview/acc_")


async def test_it_is_changed_under_its_etag(client: httpx.AsyncClient, stranger: Any) -> None:
    match = await etag(client)
    first = await client.patch(WHERE, json={"name": "届く商店", "logo": PNG}, headers=match)
    assert first.status_code == 200, first.text
    assert (await client.patch(WHERE, json={"name": "x"}, headers=match)).status_code == 412
    second = await client.patch(WHERE, json={"accent": "#7a1f5c"}, headers=await etag(client))
    assert (second.json()["name"], second.json()["accent"]) == ("届く商店", "#7a1f5c")
    assert (second.json()["logo"], second.json()["logo_type"]) == (PNG, "image/png")
    third = await client.patch(WHERE, json={"logo": None}, headers=await etag(client))
    assert third.json()["logo"] is None
    assert (await stranger.client.get(WHERE)).json()["name"] == "another"


async def test_every_fault_is_told_at_once(client: httpx.AsyncClient) -> None:
    wrong = {"accent": "#ffffff", "logo": b64encode(b"<svg/>").decode(), "texts": {"ja": {"slogan": "x"}}}
    answer = await client.patch(WHERE, json=wrong, headers=await etag(client))
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {"/accent", "/logo", "/texts/ja/slogan"}
    not_base64 = await client.patch(WHERE, json={"logo": "%"}, headers=await etag(client))
    assert [fault["pointer"] for fault in not_base64.json()["errors"]] == ["/logo"]


async def test_a_form_opens_with_a_sender_of_ones_own(client: httpx.AsyncClient, stranger: Any) -> None:
    theirs = (await stranger.client.post("/v1/senders", json=SENDER)).json()["id"]
    for body in ({"signup_open": True}, {"signup_open": True, "sender": theirs}):
        answer = await client.patch(WHERE, json=body, headers=await etag(client))
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/sender"], answer.text
    mine = (await client.post("/v1/senders", json=SENDER)).json()["id"]
    opened = await client.patch(WHERE, json={"signup_open": True, "sender": mine}, headers=await etag(client))
    assert (opened.json()["signup_open"], opened.json()["sender"]) == (True, mine)


def style_of(page: dict[str, str]) -> str:
    [style] = re.findall(r'href="data:text/css;base64,([^"]*)"', page["html"])
    return b64decode(style).decode()


async def test_a_change_is_looked_at_before_it_is_kept(client: httpx.AsyncClient) -> None:
    before = await client.get(WHERE)
    draft = {"name": "届く<商店>", "accent": "#7a1f5c", "logo": PNG, "texts": {"ja": {"title": "春の便り"}}}
    answer = await client.post(f"{WHERE}/preview", json=draft)
    pages = answer.json()["items"]
    assert [(page["language"], page["scheme"]) for page in pages] == [
        ("en", "light"), ("en", "dark"), ("ja", "light"), ("ja", "dark"),
    ]  # fmt: skip
    for page in pages:
        assert f'<html lang="{page["language"]}">' in page["html"]
        assert "届く&lt;商店&gt;" in page["html"]
        assert ("春の便り" in page["html"]) == (page["language"] == "ja")
        assert f'src="data:image/png;base64,{PNG}"' in page["html"]
        assert "--accent:#7a1f5c" in style_of(page)
        assert f"color-scheme: {page['scheme']};" in style_of(page)
        assert "prefers-color-scheme" not in style_of(page)
        night = "@media all" if page["scheme"] == "dark" else "@media not all"
        assert set(re.findall(r"@media (?:not )?all", style_of(page))) == {night}
        assert not re.findall(r'(?:src|href)="(?!data:|#)', page["html"]), "a document that loads something"
    after = await client.get(WHERE)
    assert (after.json(), after.headers["ETag"]) == (before.json(), before.headers["ETag"])


async def test_a_draft_has_the_faults_that_the_change_would_have(client: httpx.AsyncClient) -> None:
    answer = await client.post(f"{WHERE}/preview", json={"accent": "#ffffff", "links": [{"label": {}, "url": "x"}]})
    assert answer.status_code == 422
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"/accent", "/links/0/label", "/links/0/url"}
