"""Raw events over REST, as JSON and as JSON Lines."""

import asyncpg
import httpx
import orjson

from core import ids
from core.ids import IdSource
from tests.support.runs import LINKS, make_run
from tracking import feed

WHERE = "/v1/events"


async def test_a_follower_gets_each_event_once_as_json_and_as_lines(
    client: httpx.AsyncClient, account: object, main: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, account_id=account.account_id)  # type: ignore[attr-defined]
    await main.executemany(
        "INSERT INTO event (run_id, seq, kind, link, occurred_at) VALUES ($1, $2, $3, $4, app.now())",
        [(run.run_id, 1, "open", -1), (run.run_id, 2, "click", 1), (run.run_id, 2, "unsubscribe", -1)],
    )
    for _ in range(2):
        await feed.advance(main)
    first = (await client.get(WHERE, params={"limit": 2})).json()
    shown = [(one["kind"], one["link"], one["url"]) for one in first["items"]]
    assert shown == [("open", None, None), ("click", 1, LINKS[1])]
    assert first["items"][1]["member"] == ids.encode("mem", run.members[1])
    assert first["up_to_date"] is False
    rest = (await client.get(WHERE, params={"cursor": first["next"]})).json()
    assert ([one["kind"] for one in rest["items"]], rest["up_to_date"]) == (["unsubscribe"], True)
    assert (await client.get(WHERE, params={"cursor": rest["next"]})).json() == rest | {"items": []}

    lines = await client.get(WHERE, params={"format": "jsonl", "limit": 2})
    assert lines.headers["content-type"] == "application/jsonl"
    more = await client.get(lines.links["next"]["url"])
    assert [orjson.loads(line) for line in (lines.text + more.text).splitlines()] == first["items"] + rest["items"]
    only = (await client.get(WHERE, params={"kind": "click"})).json()
    assert [one["kind"] for one in only["items"]] == ["click"]


async def test_what_can_not_be_asked_for_is_refused(client: httpx.AsyncClient) -> None:
    for params in ({"kind": "look"}, {"cursor": "evt_1"}, {"cursor": "cur_7zzzzzzzzzzzzzzzzzzzzzzzzz"}, {"limit": 0}):
        assert (await client.get(WHERE, params=params)).status_code == 422
