"""Campaigns over REST: the quickstart as a story, steering, and every way to ask for what can't be."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from members.imports import run_import

KEY = {"Idempotency-Key": "december"}


def tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


@pytest.fixture
async def draft(story: Any, client: httpx.AsyncClient) -> str:
    made = await client.post(f"/v1/campaigns/{story.ids['campaign_id']}/clone")
    assert made.status_code == 201, made.text
    return str(made.headers["Location"])


async def do_the_import(services: Any, vault: asyncpg.Pool, main: asyncpg.Pool) -> None:
    """What a worker of the pool `jobs` does with the job that was queued."""
    import_id = await main.fetchval("SELECT subject_id FROM job WHERE not_before <= app.now()")
    await run_import(vault, services.imports._rings, import_id, services.new_id, services.clock, lambda: True)


async def test_the_quickstart(
    client: httpx.AsyncClient, services: Any, main: asyncpg.Pool, vault: asyncpg.Pool
) -> None:
    group = await client.post("/v1/groups", json={"name": "Readers"})
    imported = await client.post(
        "/v1/imports",
        files={"file": ("members.csv", "メール,氏名\r\ntaro@example.jp,山田太郎\r\nbad,x\r\n".encode("cp932"))},
        data={
            "mapping": '{"メール":"email","氏名":"name"}',
            "consent_source": "2026-form",
            "groups": f'["{group.json()["id"]}"]',
        },
    )
    assert imported.status_code == 202, imported.text
    await do_the_import(services, vault, main)
    watched = (await client.get(imported.headers["Location"])).json()
    assert (watched["state"], watched["progress"]) == ("finished", {"done": 2, "total": 2})
    assert (watched["created"], watched["rejected"]) == (1, 1)
    rejects = (await client.get(imported.headers["Location"] + "/rejects")).content.decode("utf-8-sig").splitlines()
    assert rejects[0] == "メール,氏名,line,reason"
    assert rejects[1].startswith("bad,x,3,")
    found = (await client.post("/v1/members/search", json={"email": "taro@example.jp"})).json()["items"]
    assert [one["attributes"] for one in found] == [{"name": "山田太郎"}]

    sender = await client.post(
        "/v1/senders",
        json={
            "name": "届く商店",
            "address": "news@shop.example.jp",
            "postal_address": "東京都千代田区1-1",
            "contact": "https://shop.example.jp/contact",
        },
    )
    template = await client.post(
        "/v1/templates",
        json={"name": "news", "subject": "{{ name }} 様へ", "html": '<a href="https://example.com">…</a>'},
    )
    segment = await client.post("/v1/segments", json={"name": "readers", "rule": {"group": group.json()["id"]}})
    preview = (await client.post(f"{segment.headers['Location']}/preview")).json()
    assert (preview["matching"], preview["sendable"]) == (1, 1)
    body = {
        "name": "December",
        "sender": sender.json()["id"],
        "template": template.json()["id"],
        "audience": {"segments": [segment.json()["id"]]},
    }
    campaign = await client.post("/v1/campaigns", json=body)
    assert campaign.status_code == 201, campaign.text
    where = campaign.headers["Location"]
    assert (campaign.json()["state"], campaign.json()["run"]) == ("draft", None)
    assert (await client.post(f"{where}/check")).json() == {
        "ready": True,
        "errors": [],
        "links": ["https://example.com"],
    }

    year = datetime.now(UTC).year + (datetime.now(UTC).month == 12)
    scheduled = await client.post(f"{where}/schedule", json={"at": f"{year}-12-25T09:00:00", "time_zone": "Asia/Tokyo"})
    assert scheduled.status_code == 200, scheduled.text
    shown = scheduled.json()
    assert shown["state"] == "scheduled"
    assert shown["starts_at"] == f"{year}-12-25T00:00:00Z"
    assert (shown["local_time"], shown["time_zone"]) == (f"{year}-12-25T09:00:00", "Asia/Tokyo")
    run = (await client.get(f"/v1/runs/{shown['run']}")).json()
    assert (run["state"], run["campaign"], run["progress"]) == ("scheduled", shown["id"], {"done": 0, "total": 0})
    runs = (await client.get("/v1/runs", params={"campaign": shown["id"]})).json()["items"]
    assert [one["id"] for one in runs] == [run["id"]]
    report = (await client.get(f"/v1/reports/campaigns/{shown['id']}")).json()
    assert (report["total"]["snapshot"], report["total"]["open_rate"]) == (0, None)
    assert [one["run"] for one in report["runs"]] == [run["id"]]
    sheet = await client.get(f"/v1/reports/campaigns/{shown['id']}.csv")
    assert sheet.headers["Content-Type"].startswith("text/csv")
    assert sheet.text.splitlines()[0].startswith("campaign,run,state,snapshot")
    links = (await client.get(f"/v1/reports/campaigns/{shown['id']}/links")).json()["items"]
    assert [(link["url"], link["clicks"]) for link in links] == [("https://example.com", 0)]
    assert "https://example.com" in (await client.get(f"/v1/reports/campaigns/{shown['id']}/links.csv")).text
    assert (await client.get(f"/v1/runs/{run['id']}/deliveries")).json() == {"items": [], "next": None, "count": None}


async def test_ten_parallel_posts_make_one_campaign(story: Any, client: httpx.AsyncClient, main: asyncpg.Pool) -> None:
    before = await main.fetchval("SELECT count(*) FROM campaign")
    body = {
        "name": "Once",
        "sender": story.ids["sender_id"],
        "template": story.ids["template_id"],
        "audience": {"all": True},
    }
    answers = await asyncio.gather(*(client.post("/v1/campaigns", json=body, headers=KEY) for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert await main.fetchval("SELECT count(*) FROM campaign") == before + 1
    again = await client.post("/v1/campaigns", json=body, headers=KEY)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")


async def test_a_draft_is_changed_and_removed_and_a_scheduled_one_is_not(
    story: Any, client: httpx.AsyncClient, draft: str
) -> None:
    read = await client.get(draft)
    match = {"If-Match": read.headers["ETag"]}
    body = {"weight": 20, "rate_per_hour": 3600, "audience": {"groups": [story.ids["group_id"]]}}
    changed = await client.patch(draft, json=body, headers=match)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["weight"], changed.json()["rate_per_hour"]) == (20, 3600)
    assert changed.json()["audience"]["groups"] == [story.ids["group_id"]]
    assert changed.json()["audience"]["segments"] == []
    assert changed.json()["name"] == read.json()["name"]
    match = {"If-Match": changed.headers["ETag"]}
    assert (await client.patch(draft, json={"rate_per_hour": None}, headers=match)).json()["rate_per_hour"] is None
    assert (await client.delete(draft)).status_code == 204
    assert (await client.get(draft)).status_code == 404
    scheduled = f"/v1/campaigns/{story.ids['campaign_id']}"
    match = {"If-Match": (await client.get(scheduled)).headers["ETag"]}
    assert (await client.patch(scheduled, json={"name": "x"}, headers=match)).status_code == 409
    assert (await client.delete(scheduled)).status_code == 409
    assert (await client.post(f"{scheduled}/schedule", json={"at": tomorrow()})).status_code == 409


async def test_an_edit_after_scheduling_changes_nothing_in_it(
    story: Any, client: httpx.AsyncClient, main: asyncpg.Pool
) -> None:
    frozen = await main.fetchval("SELECT body FROM content")
    where = f"/v1/templates/{story.ids['template_id']}"
    match = {"If-Match": (await client.get(where)).headers["ETag"]}
    assert (await client.patch(where, json={"subject": "other"}, headers=match)).status_code == 200
    assert await main.fetchval("SELECT body FROM content") == frozen
    assert frozen["subject"] == "{{ name }} 様へ"


async def test_without_a_time_a_campaign_starts_at_once(client: httpx.AsyncClient, draft: str) -> None:
    scheduled = await client.post(f"{draft}/schedule", json={})
    assert scheduled.status_code == 200, scheduled.text
    starts = datetime.fromisoformat(scheduled.json()["starts_at"])
    assert abs((datetime.now(UTC) - starts).total_seconds()) < 30


async def test_a_scheduled_campaign_is_cancelled_at_once(story: Any, client: httpx.AsyncClient) -> None:
    where = f"/v1/campaigns/{story.ids['campaign_id']}"
    assert (await client.post(f"{where}/pause")).status_code == 409
    assert (await client.post(f"{where}/resume")).status_code == 409
    cancelled = await client.post(f"{where}/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert (await client.post(f"{where}/cancel")).status_code == 200


async def test_a_pause_answers_once_nothing_is_under_way(
    story: Any, client: httpx.AsyncClient, main: asyncpg.Pool
) -> None:
    where = f"/v1/campaigns/{story.ids['campaign_id']}"
    await main.execute("UPDATE run SET state = 'running', started_at = app.now()")
    await main.execute("UPDATE lane SET state = 'running'")
    paused = await client.post(f"{where}/pause")
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    assert (await client.post(f"{where}/resume")).json()["state"] == "running"


async def test_a_pause_with_mail_on_the_wire_is_answered_202(
    story: Any, client: httpx.AsyncClient, main: asyncpg.Pool, services: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = f"/v1/campaigns/{story.ids['campaign_id']}"
    await main.execute("UPDATE run SET state = 'running', started_at = app.now()")
    await main.execute("UPDATE lane SET state = 'running'")
    await main.execute(
        "INSERT INTO chunk (run_id, first_seq, last_seq, state, owner) SELECT run_id, 1, 1, 'leased', $1 FROM run",
        services.new_id(),
    )
    monkeypatch.setattr("api.campaigns.endpoints.SETTLE_SECONDS", 0.1)
    for action, state in (("pause", "pausing"), ("cancel", "cancelling")):
        answer = await client.post(f"{where}/{action}")
        assert (answer.status_code, answer.json()["state"]) == (202, state)


async def test_a_test_send_goes_to_members_by_id_and_by_address(
    story: Any, client: httpx.AsyncClient, draft: str, main: asyncpg.Pool
) -> None:
    for body in ({"members": [story.ids["member_id"]]}, {"addresses": ["taro@example.jp"]}):
        answer = await client.post(f"{draft}/test", json=body)
        assert answer.status_code == 202, answer.text
        run = (await client.get(answer.headers["Location"])).json()
        assert (run["kind"], run["counts"]["snapshot"]) == ("test", 1)
    assert (await client.get(draft)).json()["state"] == "draft"


BAD_TESTS: list[tuple[dict[str, Any], str]] = [
    ({}, "/members"),
    ({"addresses": ["nobody@example.jp"]}, "/addresses/0"),
    ({"addresses": ["nonsense"]}, "/addresses/0"),
    ({"members": ["mem_00000000000000000000000000"]}, "/members/0"),
    ({"members": ["mem_00000000000000000000000000"], "addresses": ["taro@example.jp"]}, "/members/0"),
    ({"addresses": ["taro@example.jp"] * 21}, "/addresses"),
    ({"addresses": "taro@example.jp"}, "/addresses"),
]


async def test_a_test_send_to_whom_it_can_not_go_is_refused(
    story: Any, client: httpx.AsyncClient, draft: str, main: asyncpg.Pool
) -> None:
    for body, pointer in BAD_TESTS:
        answer = await client.post(f"{draft}/test", json=body)
        assert answer.status_code == 422, answer.text
        assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}
        assert "taro@" not in answer.text
        assert await main.fetchval("SELECT count(*) FROM run WHERE kind = 'test'") == 0


BAD_TIMES: list[tuple[dict[str, Any], str]] = [
    ({"at": "2020-01-01T00:00:00Z"}, "/at"),
    ({"at": "2026-12-01T09:00:00"}, "/time_zone"),
    ({"at": "2026-12-01T09:00:00", "time_zone": "Mars/Base"}, "/time_zone"),
    ({"at": "2026-12-01T09:00:00", "time_zone": "../../etc/passwd"}, "/time_zone"),
    ({"at": "9999-12-31T23:59:59-23:59"}, "/at"),
    ({"at": "tomorrow"}, "/at"),
    ({"at": 1_800_000_000}, "/at"),
]


async def test_a_time_that_can_not_be_is_refused(client: httpx.AsyncClient, draft: str) -> None:
    for body, pointer in BAD_TIMES:
        answer = await client.post(f"{draft}/schedule", json=body)
        assert answer.status_code == 422, answer.text
        assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}
        assert (await client.get(draft)).json()["state"] == "draft"


BAD_CAMPAIGNS: list[tuple[dict[str, Any], str]] = [
    ({"name": "a\r\nb"}, "/name"),
    ({"name": ""}, "/name"),
    ({"sender": "snd_00000000000000000000000000"}, "/sender"),
    ({"template": "tpl_00000000000000000000000000"}, "/template"),
    ({"template": "snd_00000000000000000000000000"}, "/template"),
    ({"audience": {}}, "/audience"),
    ({"audience": {"all": True, "segments": ["seg_00000000000000000000000000"]}}, "/audience/all"),
    ({"audience": {"segments": ["grp_00000000000000000000000000"]}}, "/audience/segments/0"),
    ({"audience": {"everyone": True}}, "/audience/everyone"),
    ({"weight": 0}, "/weight"),
    ({"weight": 10**30}, "/weight"),
    ({"rate_per_hour": "fast"}, "/rate_per_hour"),
    ({"tracking": {"opens": "yes"}}, "/tracking/opens"),
    ({"state": "running"}, "/state"),
]


async def test_a_bad_campaign_is_refused_with_its_fault(story: Any, client: httpx.AsyncClient) -> None:
    for change, pointer in BAD_CAMPAIGNS:
        good = {
            "name": "x",
            "sender": story.ids["sender_id"],
            "template": story.ids["template_id"],
            "audience": {"all": True},
        }
        answer = await client.post("/v1/campaigns", json={**good, **change})
        assert answer.status_code == 422, answer.text
        assert pointer in {fault["pointer"] for fault in answer.json()["errors"]}, answer.text
        assert len((await client.get("/v1/campaigns")).json()["items"]) == 1


async def test_a_campaign_whose_segment_is_gone_is_not_scheduled(
    story: Any, client: httpx.AsyncClient, draft: str
) -> None:
    await client.delete(f"/v1/segments/{story.ids['segment_id']}")
    checked = (await client.post(f"{draft}/check")).json()
    assert checked["ready"] is False
    assert [fault["pointer"] for fault in checked["errors"]] == ["/audience/segments/0"]
    refused = await client.post(f"{draft}/schedule", json={"at": tomorrow()})
    assert refused.status_code == 422
    assert (await client.get(draft)).json()["state"] == "draft"


async def test_a_foreign_sender_or_template_can_not_be_used(
    story: Any, stranger: Any, client: httpx.AsyncClient
) -> None:
    body = {
        "name": "x",
        "sender": story.ids["sender_id"],
        "template": story.ids["template_id"],
        "audience": {"all": True},
    }
    answer = await stranger.client.post("/v1/campaigns", json=body)
    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {"/sender", "/template"}


async def test_a_template_is_rendered_with_a_members_values(
    story: Any, client: httpx.AsyncClient, accounts: Any, account: Any
) -> None:
    where = f"/v1/templates/{story.ids['template_id']}/render"
    shown = await client.post(where, json={"member": story.ids["member_id"]})
    assert shown.json()["subject"] == "太郎 様へ"
    unknown = await client.post(where, json={"member": "mem_00000000000000000000000000"})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/member")
    async with accounts.client(account.account_id, "templates:read") as other:
        assert (await other.post(where, json={"member": story.ids["member_id"]})).status_code == 403
        assert (await other.post(where, json={})).status_code == 200
