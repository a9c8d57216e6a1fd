"""Reports over REST: over time, side by side, at each provider; as JSON and as CSV."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import asyncpg
import httpx
import pytest

from core import ids
from core.clock import SystemClock
from core.ids import IdSource
from tests.support.runs import Run, make_run
from tracking import breakdown, feed
from tracking.figures import MEANINGS, RATES
from tracking.leaving import Leaving
from tracking.unsubscribes import Unsubscribes

WHERE = "/v1/reports"
START = datetime(2026, 4, 1, 9, tzinfo=UTC)


@pytest.fixture
async def run(account: Any, main: asyncpg.Pool, new_id: IdSource) -> Run:
    """A run of which two were accepted, one opened at once and one two hours later, and one mail came back."""
    made = await make_run(main, new_id, account_id=account.account_id, body={"subject": "Spring"})
    await main.executemany(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, $2, $3, $4, $5)",
        [
            (made.run_id, kind, detail, total, people)
            for kind, detail, total, people in (
                ("accepted", "accepted", 2, 0), ("open", "", 2, 2), ("human_open", "", 2, 2), ("human_click", "", 3, 1),
                ("bounce", "hard", 2, 1), ("bounce", "auto_reply", 1, 1), ("complaint", "", 1, 1),
            )
        ],
    )  # fmt: skip
    await main.executemany(
        "INSERT INTO event (run_id, seq, kind, occurred_at) VALUES ($1, $2, 'open', $3)",
        [(made.run_id, 1, START), (made.run_id, 2, START + timedelta(hours=2))],
    )
    for _ in range(2):
        await feed.advance(main)
    await breakdown.break_down(main)
    return made


def path(run: Run, rest: str = "") -> str:
    return f"{WHERE}/campaigns/{ids.encode('cmp', run.campaign_id)}{rest}"


async def test_a_report_tells_people_apart_and_what_came_back_later(client: httpx.AsyncClient, run: Run) -> None:
    total = (await client.get(path(run))).json()["total"]
    assert (total["human_open_rate"], total["click_to_open_rate"]) == (1.0, 0.5)
    assert (total["bounces"], total["bounces_by_class"], total["bounce_rate"]) == (1, {"auto_reply": 1, "hard": 1}, 0.5)
    assert (total["complaints"], total["complaint_rate"], total["unsubscribe_rate"]) == (1, 0.5, 0.0)
    assert (await client.get(path(run))).json()["settled_until"]


async def test_every_count_and_rate_is_described_as_it_is_defined(client: httpx.AsyncClient) -> None:
    document = (await client.get("/v1/openapi.json")).json()
    shown = document["components"]["schemas"]["FiguresShown"]["properties"]
    assert {name: field["description"] for name, field in shown.items()} == {
        **MEANINGS,
        **{name: rate.definition for name, rate in RATES.items()},
    }


async def test_a_series_is_read_by_hour_in_a_zone_and_as_a_sheet(client: httpx.AsyncClient, run: Run) -> None:
    asked = {"step": "hour", "time_zone": "Asia/Tokyo"}
    series = (await client.get(path(run, "/series"), params=asked)).json()
    assert [(item["at"], item["counts"]["opens"]) for item in series["items"]] == [
        ("2026-04-01T18:00:00+09:00", 1),
        ("2026-04-01T20:00:00+09:00", 1),
    ]
    sheet = await client.get(path(run, "/series.csv"), params=asked | {"bom": "1"})
    assert sheet.text.startswith("\N{BYTE ORDER MARK}at,accepted,")
    lines = list(csv.DictReader(StringIO(sheet.text[1:])))
    assert [(line["at"], line["opens"]) for line in lines] == [
        ("2026-04-01T18:00:00.000+09:00", "1"),
        ("2026-04-01T20:00:00.000+09:00", "1"),
    ]


async def test_campaigns_stand_side_by_side(
    client: httpx.AsyncClient, run: Run, account: Any, main: asyncpg.Pool, new_id: IdSource
) -> None:
    other = await make_run(main, new_id, account_id=account.account_id)
    named = [ids.encode("cmp", one.campaign_id) for one in (other, run)]
    found = (await client.get(f"{WHERE}/compare", params={"campaign": named})).json()["items"]
    assert [(one["campaign"], one["total"]["accepted"]) for one in found] == [(named[0], 0), (named[1], 2)]
    sheet = (await client.get(f"{WHERE}/compare.csv", params={"campaign": named})).text
    assert [line["accepted"] for line in csv.DictReader(StringIO(sheet))] == ["0", "2"]


async def test_deliverability_is_read_of_a_period(client: httpx.AsyncClient, run: Run) -> None:
    period = {"since": "2026-04-01T00:00:00Z", "until": "2026-04-02T00:00:00Z"}
    [other] = (await client.get(f"{WHERE}/deliverability", params=period)).json()["items"]
    assert (other["provider"], other["counts"]["opens"]) == ("other", 2)
    assert (await client.get(f"{WHERE}/deliverability")).json()["items"] == []
    assert (await client.get(path(run, "/providers"))).json()["items"] == [other]
    for sheet in (path(run, "/providers.csv"), f"{WHERE}/deliverability.csv"):
        answer = await client.get(sheet, params=period if "deliverability" in sheet else {})
        assert [line["opens"] for line in csv.DictReader(StringIO(answer.text))] == ["2"]


async def test_what_can_not_be_asked_for_is_refused_and_others_campaigns_are_not_there(
    client: httpx.AsyncClient, stranger: Any, run: Run
) -> None:
    for rest, params in (
        ("/series", {"step": "week"}),
        ("/series", {"step": "minute", "hours": "49"}),
        ("/series", {"time_zone": "Mars/Olympus"}),
        (".csv", {"bom": "perhaps"}),
    ):
        assert (await client.get(path(run, rest), params=params)).status_code == 422, rest
    assert (await client.get(f"{WHERE}/compare")).status_code == 422
    asked = {"campaign": ids.encode("cmp", run.campaign_id)}
    assert (await stranger.client.get(f"{WHERE}/compare", params=asked)).status_code == 404


async def test_a_campaign_is_told_apart_by_segment_group_attribute_and_version(
    client: httpx.AsyncClient, run: Run, main: asyncpg.Pool, new_id: IdSource
) -> None:
    attribute = {"name": "plan", "type": "boolean", "protection": "open"}
    defined = await client.post("/v1/attributes", json=attribute)
    assert defined.status_code == 201, defined.text
    rule = {"attribute": "plan", "equals": True}
    created = await client.post("/v1/segments", json={"name": "=Readers", "rule": rule})
    segment, group = created.json()["id"], (await client.post("/v1/groups", json={"name": "Staff"})).json()["id"]
    await main.executemany(
        "INSERT INTO trait VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (run.run_id, 1, "attribute", "plan", "value", "=paid"),
            (run.run_id, 2, "segment", "", "value", str(ids.decode("seg", segment))),
            (run.run_id, 3, "group", "", "value", str(ids.decode("grp", group))),
        ],
    )
    await main.execute(
        "INSERT INTO breakdown_delta (run_id, dimension, value, kind, total, people)"
        " SELECT $1, 'trait', t, k, 2, 0 FROM generate_series(1, 3) t, unnest(ARRAY['snapshot', 'accepted']) k",
        run.run_id,
    )
    for part, shown in (
        ("/attributes/plan", {"value": "=paid"}),
        ("/segments", {"segment": segment, "name": "=Readers"}),
        ("/groups", {"group": group, "name": "Staff"}),
    ):
        [item] = (await client.get(path(run, part))).json()["items"]
        assert (item["figures"]["accepted"], item["figures"]["waiting"]) == (2, 0)
        assert item | {"part": "value"} | shown == item
        [line] = csv.DictReader(StringIO((await client.get(path(run, f"{part}.csv"))).text))
        assert line["value"].lstrip("'") == next(iter(shown.values()))
        assert line.get("name", "").lstrip("'") == shown.get("name", "")
    assert (await client.get(path(run, "/attributes/nothing"))).status_code == 404
    for kind, part in ((segment, "segments"), (group, "groups")):
        assert (await client.delete(f"/v1/{part}/{kind}")).status_code == 204
        [item] = (await client.get(path(run, f"/{part}"))).json()["items"]
        assert item["name"] is None
        [line] = csv.DictReader(StringIO((await client.get(path(run, f"/{part}.csv"))).text))
        assert line["name"] == ""
    [version] = (await client.get(path(run, "/versions"))).json()["items"]
    assert (version["number"], version["subject"], version["runs"]) == (1, "Spring", [ids.encode("run", run.run_id)])
    assert version["figures"] == (await client.get(path(run))).json()["total"]
    [line] = csv.DictReader(StringIO((await client.get(path(run, "/versions.csv"))).text))
    assert (line["version"], line["accepted"]) == ("1", "2")


async def test_all_runs_of_a_period_are_added_up(
    client: httpx.AsyncClient, run: Run, main: asyncpg.Pool, new_id: IdSource
) -> None:
    again = await make_run(main, new_id, account_id=run.account_id)
    await make_run(main, new_id)
    await main.execute("UPDATE run SET state = 'cancelling' WHERE run_id = $1", again.run_id)
    await main.execute("UPDATE run SET state = 'cancelled' WHERE run_id = $1", again.run_id)
    period = {"since": "2026-04-01T00:00:00Z", "until": "2026-04-02T00:00:00Z"}
    found = (await client.get(WHERE, params=period)).json()
    assert (found["campaigns"], found["runs"]) == (2, 2)
    total = found["total"]
    assert (total["snapshot"], total["accepted"], total["cancelled"], total["waiting"]) == (6, 2, 3, 1)
    assert total["human_open_rate"] == 1.0
    [line] = csv.DictReader(StringIO((await client.get(f"{WHERE}.csv", params=period)).text))
    assert (line["runs"], line["complaints"]) == ("2", "1")
    later = {"since": "2026-05-01T00:00:00Z", "until": "2026-05-02T00:00:00Z"}
    nothing = (await client.get(WHERE, params=later)).json()
    assert (nothing["runs"], nothing["total"]["snapshot"], nothing["total"]["open_rate"]) == (0, 0, None)


async def test_why_readers_left_is_counted_by_campaign_without_its_tests(
    client: httpx.AsyncClient, account: Any, main: asyncpg.Pool, main_pages: asyncpg.Pool, run: Run, new_id: IdSource
) -> None:
    tried = await make_run(
        main, new_id, account_id=account.account_id, campaign_id=run.campaign_id, kind="test", recipients=1
    )
    leaving = Leaving(main_pages)
    for run_id, seq, why in (
        (run.run_id, 1, "too_many"),
        (run.run_id, 1, "other"),
        (run.run_id, 2, "other"),
        (run.run_id, 9, "other"),
        (tried.run_id, 1, "never_asked"),
    ):
        await leaving.say_why(run_id, seq, why)
    await Unsubscribes(main_pages, SystemClock()).leave(run.run_id, 3, topic_alone=False)
    shown = (await client.get(path(run, "/leaving"))).json()
    assert (shown["unsubscribes"], shown["answers"]) == (1, 2)
    assert {item["reason"]: item["recipients"] for item in shown["items"]} == {
        "too_many": 1, "not_relevant": 0, "never_asked": 0, "hard_to_read": 0, "other": 1,
    }  # fmt: skip
    sheet = await client.get(path(run, "/leaving.csv"))
    assert sheet.text.split("\r\n")[:3] == ["reason,recipients", "too_many,1", "not_relevant,0"]
    unknown = f"{WHERE}/campaigns/{ids.encode('cmp', new_id())}/leaving"
    assert (await client.get(unknown)).status_code == 404


async def test_the_growth_of_the_list_is_told_by_day_week_and_month(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/members", json={"email": "new@example.jp", "consent": {"source": "form"}})
    assert made.status_code == 201, made.text
    for step in ("day", "week", "month"):
        found = (await client.get(f"{WHERE}/growth", params={"step": step, "time_zone": "Asia/Tokyo"})).json()
        assert (found["items"][-1]["joined"], found["items"][-1]["active"]) == (1, 1)
        assert sum(span["joined"] for span in found["items"]) == 1
    *_, last = csv.DictReader(StringIO((await client.get(f"{WHERE}/growth.csv")).text))
    assert (last["joined"], last["active"]) == ("1", "1")
    assert (await client.get(f"{WHERE}/growth", params={"step": "hour"})).status_code == 422
