"""A member's timeline over REST."""

from typing import Any

import asyncpg
import httpx

from core import ids


async def test_mails_consents_and_stops_stand_in_one_line_newest_first(
    client: httpx.AsyncClient, story: Any, main: asyncpg.Pool
) -> None:
    member_id, run_id = story.ids["member_id"], story.ids["run_id"]
    member, run = ids.decode("mem", member_id), ids.decode("run", run_id)
    await main.execute("INSERT INTO recipient (run_id, seq, member_id, tag) VALUES ($1, 1, $2, 0)", run, member)
    result = "INSERT INTO result (run_id, seq, try, outcome, at) VALUES ($1, 1, 1, 'accepted', app.now())"
    await main.execute(result, run)
    event = "INSERT INTO event (run_id, seq, kind, link, occurred_at) VALUES ($1, 1, 'click', 3, app.now())"
    await main.execute(event, run)
    place = f"/v1/members/{member_id}"
    etag = (await client.get(place)).headers["ETag"]
    assert (await client.patch(place, json={"withdrawn_by": "phone"}, headers={"If-Match": etag})).status_code == 200
    page = (await client.get(f"{place}/timeline")).json()
    items = page["items"]
    assert page["next"] is None
    assert {one["kind"] for one in items} == {"consent", "joined", "mail", "stop"}
    assert [one["at"] for one in items] == sorted((one["at"] for one in items), reverse=True)
    mail = next(one for one in items if one["kind"] == "mail")
    assert (mail["run"], mail["campaign"], mail["name"]) == (run_id, story.ids["campaign_id"], "Dec")
    assert (mail["outcome"], mail["omitted"]) == ("accepted", None)
    assert [(event["kind"], event["link"]) for event in mail["events"]] == [("click", 3)]
    of_all = [one for one in items if one["kind"] == "consent" and one["scope"] == "all"]
    assert [(one["change"], one["source"]) for one in of_all] == [("withdrawn", "phone"), ("given", "form")]
    stop = next(one for one in items if one["kind"] == "stop")
    assert (stop["reason"], stop["lifted_at"]) == ("unsubscribed", None)


async def test_a_long_timeline_goes_on_with_older_mail_alone(
    client: httpx.AsyncClient, story: Any, main: asyncpg.Pool
) -> None:
    member_id, campaign = story.ids["member_id"], story.ids["campaign_id"]
    runs = [story.ids["run_id"]]
    for _ in range(2):
        sent = await client.post(f"/v1/campaigns/{campaign}/test", json={"members": [member_id]})
        assert sent.status_code < 300, sent.text
        runs.append(sent.headers["Location"].rpartition("/")[2])
    first_run, member = ids.decode("run", runs[0]), ids.decode("mem", member_id)
    await main.execute("INSERT INTO recipient (run_id, seq, member_id, tag) VALUES ($1, 1, $2, 0)", first_run, member)
    place = f"/v1/members/{member_id}/timeline"
    first = (await client.get(place, params={"limit": 2})).json()
    rest = (await client.get(place, params={"limit": 2, "cursor": first["next"]})).json()
    assert {one["run"] for one in first["items"] if one["kind"] == "mail"} == set(runs[1:])
    assert [(one["kind"], one["run"]) for one in rest["items"]] == [("mail", runs[0])]
    assert rest["next"] is None
