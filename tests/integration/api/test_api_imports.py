"""Uploads over REST: streamed into the vault, told apart when repeated, and nothing left of a bad one."""

from typing import Any

import asyncpg
import httpx

from members.imports.file import SealedFile, open_key

CSV = "メール,氏名\r\ntaro@example.jp,山田太郎\r\n".encode("cp932")
FORM = {"mapping": '{"メール": "email", "氏名": "name"}', "consent_source": "2026-form", "encoding": "cp932"}


async def test_an_upload_is_sealed_submitted_and_given_to_the_workers(
    client: httpx.AsyncClient, vault: asyncpg.Pool, main: asyncpg.Pool
) -> None:
    answer = await client.post("/v1/imports", files={"file": ("m.csv", CSV)}, data=FORM)
    assert answer.status_code == 202, answer.text
    shown = answer.json()
    assert (shown["state"], shown["progress"], shown["bytes"]) == ("waiting", {"done": 0, "total": None}, len(CSV))
    assert shown["mapping"] == {"メール": "email", "氏名": "name"}
    assert (await client.get(answer.headers["Location"])).json() == shown
    job = await main.fetchrow("SELECT *, not_before <= app.now() AS due FROM job")
    row = await vault.fetchrow("SELECT * FROM import")
    assert (job["kind"], job["subject_id"], job["state"], job["due"]) == ("import", row["import_id"], "ready", True)
    sealed = await vault.fetchval("SELECT string_agg(sealed, '') FROM import_block")
    assert b"taro" not in sealed


async def test_a_large_file_arrives_whole(client: httpx.AsyncClient, services: Any, vault: asyncpg.Pool) -> None:
    file = b"email\r\n" + b"".join(b"m%06d@example.jp\r\n" % n for n in range(150_000))
    answer = await client.post("/v1/imports", files={"file": file}, data={"consent_source": "form"})
    assert answer.status_code == 202, answer.text
    row = await vault.fetchrow("SELECT * FROM import")
    blocks = SealedFile(vault, row["import_id"], await open_key(services.members._rings, row))
    assert answer.json()["bytes"] == len(file)
    numbers = [block["no"] for block in await vault.fetch("SELECT no FROM import_block ORDER BY no")]
    assert b"".join([await blocks.block(no) for no in numbers]) == file


BAD_UPLOADS: list[tuple[dict[str, bytes], dict[str, str], set[str] | None]] = [
    ({}, {"consent_source": "form", "x-nothing": ""}, {""}),
    ({"file": CSV}, {}, {"/consent_source"}),
    ({"file": b""}, {"mapping": "[]", "groups": "7"}, {"/mapping", "/groups", "/file", "/consent_source"}),
    ({"file": CSV}, {**FORM, "encoding": "latin-7"}, {"/encoding"}),
    ({"file": CSV}, {**FORM, "mode": "wild", "time_zone": "Mars/Base"}, {"/mode", "/time_zone"}),
    ({"file": CSV}, {**FORM, "format": "xlsx", "compression": "rar"}, {"/format", "/compression"}),
    ({"file": CSV}, {**FORM, "dry_run": "perhaps"}, {"/dry_run"}),
    ({"file": CSV}, {**FORM, "mapping": '{"メール": "shoe_size"}'}, None),
]


async def test_of_a_bad_upload_nothing_stays(
    client: httpx.AsyncClient, vault: asyncpg.Pool, main: asyncpg.Pool
) -> None:
    for files, form, pointers in BAD_UPLOADS:
        parts = {**files, **{name: (None, value) for name, value in form.items()}}
        answer = await client.post("/v1/imports", files=parts)
        assert answer.status_code == 422, answer.text
        if pointers is not None:
            assert {fault["pointer"] for fault in answer.json()["errors"]} == pointers
        for pool, table in ((vault, "import"), (vault, "import_block"), (main, "job")):
            assert await pool.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_an_upload_must_be_multipart_and_bounded(client: httpx.AsyncClient, vault: asyncpg.Pool) -> None:
    assert (await client.post("/v1/imports", content=CSV, headers={"Content-Type": "text/csv"})).status_code == 415
    assert (await client.post("/v1/imports", json={})).status_code == 415
    cut = await client.post(
        "/v1/imports", content=b"--x\r\n", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert cut.status_code == 400
    huge = await client.post("/v1/imports", files={"file": b"x" * 8_100_000}, data={"consent_source": "form"})
    assert (huge.status_code, huge.json()["type"]) == (413, "/v1/reference#too-large")
    assert await vault.fetchval("SELECT count(*) FROM import") == 0


async def test_the_same_upload_under_one_key_is_one_import(client: httpx.AsyncClient, vault: asyncpg.Pool) -> None:
    key = {"Idempotency-Key": "monday"}
    first = await client.post("/v1/imports", files={"file": CSV}, data=FORM, headers=key)
    again = await client.post("/v1/imports", files={"file": CSV}, data=FORM, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.request.headers["Content-Type"] != again.request.headers["Content-Type"]
    assert (again.content, again.headers["Idempotent-Replayed"]) == (first.content, "true")
    other = await client.post("/v1/imports", files={"file": CSV + b"x"}, data=FORM, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/v1/reference#idempotency-key-reused")
    assert await vault.fetchval("SELECT count(*) FROM import") == 1


async def test_the_rejects_of_an_import_that_has_not_begun_are_empty(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/imports", files={"file": CSV}, data=FORM)
    rejects = await client.get(made.headers["Location"] + "/rejects")
    assert rejects.status_code == 200
    assert rejects.headers["Content-Type"].startswith("text/csv")
    assert rejects.content == b""


async def test_imports_are_listed_newest_first(client: httpx.AsyncClient) -> None:
    made = [(await client.post("/v1/imports", files={"file": CSV}, data=FORM)).json()["id"] for _ in range(3)]
    first = (await client.get("/v1/imports", params={"limit": 2})).json()
    assert [one["id"] for one in first["items"]] == [made[2], made[1]]
    rest = (await client.get("/v1/imports", params={"limit": 2, "cursor": first["next"]})).json()
    assert [one["id"] for one in rest["items"]] == [made[0]]
    assert rest["next"] is None
