"""Files in and out over REST, as far as the API goes: the worker's part is run by hand."""

from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest

from core import ids
from members.exports import run_export
from members.imports import run_import

FILE = "email,name,城\r\ntaro@example.jp,山田太郎,x\r\nbad,,\r\n".encode()
FORM = {"consent_source": "2026-form"}
BULK = {
    "members": [{"email": "taro@example.jp", "attributes": {"name": "山田太郎"}}, {"email": "bad"}],
    "consent": {"source": "form"},
}


class Worker:
    """What the worker of the pool `jobs` does with the one job that is due."""

    def __init__(self, services: Any, main: asyncpg.Pool) -> None:
        self.services, self.main = services, main

    async def work(self) -> None:
        row = await self.main.fetchrow("DELETE FROM job WHERE not_before <= app.now() RETURNING kind, subject_id")
        pool, rings, clock = self.services.members._pool, self.services.members._rings, self.services.clock
        if row["kind"] == "import":
            await run_import(pool, rings, row["subject_id"], self.services.new_id, clock, lambda: True)
        else:
            await run_export(pool, rings, self.services.audiences, row["subject_id"], clock, lambda: True, 3600)


@pytest.fixture
def worker(services: Any, main: asyncpg.Pool) -> Worker:
    return Worker(services, main)


async def test_an_import_is_tried_looked_at_and_applied(client: httpx.AsyncClient, worker: Worker) -> None:
    tried = await client.post("/v1/imports", files={"file": FILE}, data={**FORM, "dry_run": "true"})
    place = tried.headers["Location"]
    assert (await client.get(f"{place}/report")).json() == {"columns": [], "samples": []}
    assert (await client.post(f"{place}/apply")).status_code == 409
    await worker.work()
    shown = (await client.get(place)).json()
    assert (shown["state"], shown["dry_run"], shown["created"], shown["rejected"]) == ("checked", True, 1, 1)
    report = (await client.get(f"{place}/report")).json()
    assert report["columns"][2] == {"title": "城", "target": None}
    assert report["samples"][0]["email"] == "t***@example.jp"
    assert report["samples"][0]["attributes"] == {"name": "***"}
    assert (await client.get("/v1/members")).json()["items"] == []
    applied = await client.post(f"{place}/apply")
    assert (applied.status_code, applied.json()["state"]) == (202, "waiting")
    await worker.work()
    assert (await client.get(place)).json()["state"] == "finished"
    assert [one["email"] for one in (await client.get("/v1/members")).json()["items"]] == ["taro@example.jp"]


async def test_an_import_is_cancelled(client: httpx.AsyncClient, worker: Worker) -> None:
    made = await client.post("/v1/imports", files={"file": FILE}, data=FORM)
    ended = await client.post(made.headers["Location"] + "/cancel")
    assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    assert (await client.post(made.headers["Location"] + "/cancel")).status_code == 409
    await worker.work()
    assert (await client.get("/v1/members")).json()["items"] == []


async def test_rejects_of_json_lines_are_json_lines(client: httpx.AsyncClient, worker: Worker) -> None:
    made = await client.post("/v1/imports", files={"file": b'{"email": "bad"}\n'}, data={**FORM, "format": "jsonl"})
    await worker.work()
    rejects = await client.get(made.headers["Location"] + "/rejects")
    assert rejects.headers["Content-Type"] == "application/jsonl"
    assert orjson.loads(rejects.content)["line"] == 1


async def test_many_members_in_one_call_once_under_one_key(client: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "bulk"}
    first = await client.post("/v1/members/bulk", json=BULK, headers=key)
    again = await client.post("/v1/members/bulk", json=BULK, headers=key)
    assert (first.status_code, again.content) == (200, first.content)
    answer = first.json()
    assert [answer[state] for state in ("created", "updated", "unchanged", "rejected")] == [1, 0, 0, 1]
    assert answer["items"][1]["errors"][0]["pointer"] == "/members/1/email"
    member = (await client.get("/v1/members")).json()["items"][0]
    assert (answer["items"][0]["id"], member["status"]) == (member["id"], "active")
    refused = await client.post("/v1/members/bulk", json={"members": [{"email": "a@example.jp"}]})
    assert {fault["pointer"] for fault in refused.json()["errors"]} == {"/consent"}


async def test_language_zone_and_tags_stand_beside_the_address_in_a_bulk_call_too(client: httpx.AsyncClient) -> None:
    said = {"locale": "ja", "time_zone": "Asia/Tokyo", "tags": ["vip"]}
    wrong = {"email": "wrong@example.jp", "locale": "?", "attributes": {"time_zone": "?"}}
    body = {**BULK, "members": [{"email": "taro@example.jp", **said}, wrong]}
    answer = (await client.post("/v1/members/bulk", json=body)).json()
    assert [one["state"] for one in answer["items"]] == ["created", "rejected"]
    pointers = {fault["pointer"] for fault in answer["items"][1]["errors"]}
    assert pointers == {"/members/1/locale", "/members/1/attributes/time_zone"}
    member = (await client.get("/v1/members")).json()["items"][0]
    assert {name: member[name] for name in said} == said
    # What a later call does not say stays, and null takes away.
    again = {**BULK, "members": [{"email": "taro@example.jp", "locale": None}]}
    assert (await client.post("/v1/members/bulk", json=again)).json()["updated"] == 1
    member = (await client.get("/v1/members")).json()["items"][0]
    assert (member["locale"], member["tags"]) == (None, ["vip"])
    twice = {**BULK, "members": [{"email": "taro@example.jp", "tags": [], "attributes": {"tags": ["a"]}}]}
    refused = await client.post("/v1/members/bulk", json=twice)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/members/0/tags")


async def test_an_export_is_made_fetched_and_noted(client: httpx.AsyncClient, worker: Worker) -> None:
    await client.post("/v1/members/bulk", json=BULK)
    made = await client.post("/v1/exports", json={"columns": ["email", "name"]})
    assert (made.status_code, made.json()["state"]) == (202, "waiting")
    place = made.headers["Location"]
    assert (await client.get(f"{place}/file")).status_code == 409
    await worker.work()
    shown = (await client.get(place)).json()
    assert (shown["state"], shown["progress"]) == ("finished", {"done": 1, "total": 1})
    file = await client.get(f"{place}/file")
    assert file.content.decode("utf-8-sig") == "email,name\r\ntaro@example.jp,山田太郎\r\n"
    assert (await client.get("/v1/exports")).json()["items"] == [shown]
    noted = [(one["action"], one["object"]) for one in (await client.get("/v1/audit")).json()["items"]]
    assert noted[:2] == [("export.downloaded", shown["id"]), ("export.created", shown["id"])]
    assert (await client.post(f"{place}/cancel")).json()["state"] == "cancelled"
    assert (await client.get(f"{place}/file")).status_code == 409


async def test_an_export_of_what_there_is_not_leaves_nothing(
    client: httpx.AsyncClient, main: asyncpg.Pool, vault: asyncpg.Pool
) -> None:
    for column in ("shoe", "姓", "taro@example.jp", ""):
        bad = await client.post("/v1/exports", json={"columns": [column]})
        assert (bad.status_code, {fault["pointer"] for fault in bad.json()["errors"]}) == (422, {"/columns/0"})
    missing = ids.encode("grp", UUID(int=7))
    bad = await client.post("/v1/exports", json={"audience": {"groups": [missing]}})
    assert {fault["pointer"] for fault in bad.json()["errors"]} == {"/audience/groups/0"}
    for pool, table in ((vault, "export"), (main, "job")):
        assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_everything_held_on_one_member_is_one_document(
    client: httpx.AsyncClient, story: Any, main: asyncpg.Pool
) -> None:
    member_id, run_id = story.ids["member_id"], story.ids["run_id"]
    member, run = ids.decode("mem", member_id), ids.decode("run", run_id)
    await main.execute("INSERT INTO recipient (run_id, seq, member_id, tag) VALUES ($1, 1, $2, 0)", run, member)
    result = "INSERT INTO result (run_id, seq, try, outcome, at) VALUES ($1, 1, 1, 'accepted', app.now())"
    await main.execute(result, run)
    event = "INSERT INTO event (run_id, seq, kind, link, occurred_at) VALUES ($1, 1, 'click', 3, app.now())"
    await main.execute(event, run)
    answer = await client.get(f"/v1/members/{member_id}/export")
    document = answer.json()
    assert document["member"]["email"] == "taro@example.jp"
    assert {record["kind"] for record in document["consents"]} == {"given"}
    assert (document["suppression"], document["stops"]) == (None, [])
    (mail,) = document["mails"]
    assert (mail["run_id"], mail["outcome"], mail["omitted"]) == (run_id, "accepted", None)
    assert [(one["kind"], one["link"]) for one in mail["events"]] == [("click", 3)]
    noted = (await client.get("/v1/audit")).json()["items"][0]
    assert (noted["action"], noted["object"]) == ("member.exported", member_id)
