"""Senders over REST: checked, with keys that verify and are sealed at rest."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import dkim
import httpx
import pytest

from core import ids
from core.errors import Tampered

SHOP = {
    "name": "届く商店",
    "address": "news@Shop.Example.jp",
    "postal_address": "東京都千代田区千代田1-1",
    "contact": "https://shop.example.jp/contact",
}


async def test_a_sender_says_what_to_publish_and_signs_so_that_it_verifies(
    client: httpx.AsyncClient, services: Any, account: Any
) -> None:
    made = await client.post("/v1/senders", json=SHOP)
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["domain"], shown["address"]) == ("shop.example.jp", "news@shop.example.jp")
    records = {record["name"]: record for record in shown["dns_records"]}
    assert len(records) == 2
    assert all(name.endswith("._domainkey.shop.example.jp") for name in records)

    signer = await services.senders.signer_for(account.account_id, "shop.example.jp")
    headers = [(b"From", b" news@shop.example.jp"), (b"Subject", b" x"), (b"To", b" a@example.jp")]
    signed = signer.sign(headers, b"hello\r\n")
    message = signed + b"".join(name + b":" + value + b"\r\n" for name, value in headers) + b"\r\nhello\r\n"

    def published(name: bytes, timeout: int = 5) -> bytes:
        value: str = records[name.decode().rstrip(".")]["value"]
        return "".join(value.split('"')[1::2]).encode()

    verifier = dkim.DKIM(message)
    assert all(verifier.verify(idx=index, dnsfunc=published) for index in (0, 1))


async def test_one_domain_has_one_pair_of_keys_per_account(
    client: httpx.AsyncClient, stranger: Any, main: asyncpg.Pool
) -> None:
    answers = await asyncio.gather(*(client.post("/v1/senders", json=SHOP) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({str(answer.json()["dns_records"]) for answer in answers}) == 1
    other = await stranger.client.post("/v1/senders", json=SHOP)
    names = {record["name"] for answer in (answers[0], other) for record in answer.json()["dns_records"]}
    assert len(names) == 4
    assert await main.fetchval("SELECT count(*) FROM signing_key") == 4


async def test_private_keys_are_sealed_and_bound_to_their_place(
    client: httpx.AsyncClient, services: Any, account: Any, main: asyncpg.Pool
) -> None:
    await client.post("/v1/senders", json=SHOP)
    await client.post("/v1/senders", json={**SHOP, "address": "news@other.example.jp"})
    for row in await main.fetch("SELECT * FROM signing_key"):
        assert b"PRIVATE" not in row["sealed"]
        assert not row["sealed"].startswith(b"0\x82")
    await main.execute("UPDATE signing_key SET domain = 'moved.example.jp' WHERE domain = 'other.example.jp'")
    with pytest.raises(Tampered):
        await services.senders.signer_for(account.account_id, "moved.example.jp")


async def test_a_sender_is_changed_under_its_etag(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/senders", json=SHOP)
    where = made.headers["Location"]
    match = {"If-Match": made.headers["ETag"]}
    changed = await client.patch(
        where, json={"address": "a@new.example.jp", "reply_to": "r@shop.example.jp"}, headers=match
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["domain"], changed.json()["name"]) == ("new.example.jp", "届く商店")
    assert len(changed.json()["dns_records"]) == 2
    assert (await client.patch(where, json={"name": "x"}, headers=match)).status_code == 412
    match = {"If-Match": changed.headers["ETag"]}
    assert (await client.patch(where, json={"reply_to": None}, headers=match)).json()["reply_to"] is None
    page = (await client.get("/v1/senders", params={"count": True})).json()
    assert page["count"] == 1
    assert [one["id"] for one in page["items"]] == [made.json()["id"]]


BAD_SENDERS: list[tuple[dict[str, object], set[str]]] = [
    ({"name": "a\r\nBcc: b@example.jp"}, {"/name"}),
    ({"name": ""}, {"/name"}),
    ({"address": "news"}, {"/address"}),
    ({"address": "a\r\n@example.jp"}, {"/address"}),
    ({"address": "ニュース@example.jp"}, {"/address"}),
    ({"reply_to": "x@"}, {"/reply_to"}),
    ({"postal_address": " ", "contact": "\u2028"}, {"/postal_address", "/contact"}),
    ({"contact": None}, {"/contact"}),
    ({"domain": "example.jp"}, {"/domain"}),
]


async def test_a_bad_sender_is_refused_and_leaves_no_keys(client: httpx.AsyncClient, main: asyncpg.Pool) -> None:
    for change, pointers in BAD_SENDERS:
        answer = await client.post("/v1/senders", json={**SHOP, **change})
        assert answer.status_code == 422, answer.text
        assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers
        assert await main.fetchval("SELECT count(*) FROM signing_key") == 0


async def test_a_sender_of_an_idn_domain_is_kept_in_ascii(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/senders", json={**SHOP, "address": "news@届く.jp"})
    assert made.status_code == 201, made.text
    assert made.json()["domain"].startswith("xn--")
    assert isinstance(ids.decode("snd", made.json()["id"]), UUID)
