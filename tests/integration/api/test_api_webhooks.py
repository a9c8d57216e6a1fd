"""Webhooks over REST: made, read, changed, renewed, removed; deliveries and posting again."""

from typing import Any

import asyncpg
import httpx
import pytest

from core import ids, outbox
from core.ids import IdSource

WHERE = "/v1/webhooks"
NEW = {"url": "https://hooks.example.jp/todoku", "events": ["campaign.stopped", "run.finished"]}


async def made(client: httpx.AsyncClient, **changes: object) -> dict[str, Any]:
    answer = await client.post(WHERE, json=NEW | changes)
    assert answer.status_code == 201, answer.text
    webhook: dict[str, Any] = answer.json()
    return webhook


async def tell(main: asyncpg.Pool, new_id: IdSource, account_id: object) -> str:
    event_id = new_id()
    async with main.acquire() as connection, connection.transaction():
        await outbox.tell(
            connection,
            event_id=event_id,
            account_id=account_id,  # type: ignore[arg-type]
            kind="campaign.stopped",
            subject_id=new_id(),
            payload={},
        )
    return ids.encode("ntc", event_id)


async def test_its_secret_is_shown_when_it_is_made_or_renewed_and_never_again(client: httpx.AsyncClient) -> None:
    webhook = await made(client)
    assert webhook["secret"].startswith("whsec_")
    shown = (await client.get(f"{WHERE}/{webhook['id']}")).json()
    assert shown == webhook | {"secret": None}
    assert (await client.get(WHERE)).json()["items"] == [shown]
    renewed = (await client.post(f"{WHERE}/{webhook['id']}/secret")).json()
    assert renewed["secret"] not in (None, webhook["secret"])


async def test_a_webhook_is_changed_and_removed(client: httpx.AsyncClient) -> None:
    path = f"{WHERE}/{(await made(client))['id']}"
    changed = await client.patch(path, json={"enabled": False}, headers={"If-Match": '"1"'})
    assert (changed.json()["enabled"], changed.json()["url"], changed.headers["ETag"]) == (False, NEW["url"], '"2"')
    assert (await client.patch(path, json={"enabled": True}, headers={"If-Match": '"1"'})).status_code == 412
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404


async def test_every_fault_is_said_at_once_and_nothing_is_made(client: httpx.AsyncClient) -> None:
    answer = await client.post(WHERE, json={"url": "http://10.0.0.1/", "events": ["run.finished", "run.burst"]})
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/url", "/events/1"]
    answer = await client.post(WHERE, json={"url": "https://127.0.0.1/", "events": []})
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/url", "/events"]
    assert (await client.get(WHERE)).json()["items"] == []


async def test_what_was_given_up_is_listed_and_posted_again(
    client: httpx.AsyncClient, account: Any, stranger: Any, main: asyncpg.Pool, new_id: IdSource
) -> None:
    webhook = await made(client)
    await made(stranger.client)
    told = [await tell(main, new_id, account.account_id) for _ in range(3)]
    await main.execute("UPDATE webhook_delivery SET state = 'dead', settled_at = app.now(), fault = 'timeout'")
    path = f"{WHERE}/{webhook['id']}"
    first = (await client.get(f"{path}/deliveries", params={"state": "dead", "limit": 2})).json()
    rest = (await client.get(f"{path}/deliveries", params={"state": "dead", "cursor": first["next"]})).json()
    assert [one["id"] for one in first["items"] + rest["items"]] == told[::-1]
    assert {(one["type"], one["fault"]) for one in first["items"]} == {("campaign.stopped", "timeout")}
    assert (await client.post(f"{path}/replay", json={"deliveries": told[:1]})).json() == {"replayed": 1}
    assert (await client.post(f"{path}/replay", json={})).json() == {"replayed": 2}
    assert (await client.get(f"{path}/deliveries", params={"state": "dead"})).json()["items"] == []


@pytest.mark.parametrize("body", [{"deliveries": []}, {"deliveries": ["cmp_1"]}, {"since": "today"}])
async def test_what_can_not_be_replayed_is_refused(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert (await client.post(f"{WHERE}/{(await made(client))['id']}/replay", json=body)).status_code == 422
