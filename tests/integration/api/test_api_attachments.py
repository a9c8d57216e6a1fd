"""Attachments over REST: up, into a template, down again; and every way to send a bad one."""

from typing import Any

import httpx
import pytest

from delivery.compose.bounds import MAX_ATTACHED

PDF = b"%PDF-1.7 " + bytes(range(256))
NEWS: dict[str, Any] = {"name": "news", "subject": "お知らせ", "html": '<p>x</p><img src="cid:logo.png">'}


async def uploaded(client: httpx.AsyncClient, name: str = "logo.png", content: bytes = PDF) -> str:
    answer = await client.post("/v1/attachments", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_file_comes_down_as_it_went_up(client: httpx.AsyncClient) -> None:
    made = await client.post(
        "/v1/attachments", files={"file": ("x.pdf", PDF, "application/pdf")}, data={"name": "価格表 2026.pdf"}
    )
    assert made.status_code == 201, made.text
    shown = made.json()
    assert (shown["name"], shown["content_type"], shown["size"]) == ("価格表 2026.pdf", "application/pdf", len(PDF))
    assert (await client.get(made.headers["Location"])).json() == shown
    down = await client.get(f"{made.headers['Location']}/content")
    assert (down.content, down.headers["content-type"]) == (PDF, "application/pdf")
    assert down.headers["content-disposition"].startswith("attachment; filename*=utf-8''%E4%BE%A1")
    listed = (await client.get("/v1/attachments", params={"count": "true"})).json()
    assert (listed["items"], listed["count"]) == ([shown], 1)


async def test_a_template_names_its_files_and_a_version_keeps_them(client: httpx.AsyncClient) -> None:
    logo, prices = await uploaded(client), await uploaded(client, "prices.pdf")
    made = await client.post("/v1/templates", json={**NEWS, "attachments": [prices, logo]})
    assert made.status_code == 201, made.text
    assert made.json()["attachments"] == [prices, logo]
    where = made.headers["Location"]
    changed = await client.patch(where, json={"attachments": [logo]}, headers={"If-Match": made.headers["ETag"]})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (await client.get(where)).json()["attachments"] == [logo]
    assert (await client.get(where, params={"version": 1})).json()["attachments"] == [prices, logo]
    renamed = await client.patch(where, json={"name": "b"}, headers={"If-Match": changed.headers["ETag"]})
    assert (renamed.json()["version"], renamed.json()["attachments"]) == (2, [logo])
    # The first version has it still, for whoever asks what was sent.
    refused = await client.delete(f"/v1/attachments/{prices}")
    assert refused.status_code == 409, refused.text


async def test_what_no_template_has_can_be_removed(client: httpx.AsyncClient) -> None:
    logo = await uploaded(client)
    assert (await client.delete(f"/v1/attachments/{logo}")).status_code == 204
    assert (await client.delete(f"/v1/attachments/{logo}")).status_code == 404
    assert (await client.get(f"/v1/attachments/{logo}/content")).status_code == 404


async def test_another_account_s_file_is_unknown_to_a_template(stranger: Any, client: httpx.AsyncClient) -> None:
    theirs = await uploaded(stranger.client)
    for path in ("/v1/templates", "/v1/templates/check"):
        body = {**NEWS, "attachments": [theirs]}
        if path.endswith("check"):
            del body["name"]
        answer = await client.post(path, json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == "/attachments/0"


async def test_a_picture_that_is_not_attached_is_a_fault_with_its_line(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/templates", json=NEWS)
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/html", "unknown_attachment")
    assert "line 1" in fault["detail"]


@pytest.mark.parametrize(
    ("name", "content", "status", "pointer"),
    [
        ("run.exe", b"x", 422, "/name"),
        ("empty.png", b"", 422, "/file"),
        ("large.png", b"x" * (MAX_ATTACHED + 1), 413, "/file"),
    ],
)
async def test_what_can_not_be_sent_is_refused_and_nothing_is_kept(
    client: httpx.AsyncClient, name: str, content: bytes, status: int, pointer: str
) -> None:
    answer = await client.post("/v1/attachments", files={"file": (name, content)})
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await client.get("/v1/attachments")).json()["items"] == []


async def test_an_upload_without_a_file_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/attachments", files={"name": (None, b"a.png")})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/file"
    assert (await client.post("/v1/attachments", json={})).status_code == 415


async def test_files_too_large_together_are_the_template_s_fault(client: httpx.AsyncClient) -> None:
    half = b"x" * (MAX_ATTACHED // 2 + 1)
    two = [await uploaded(client, f"{n}.png", half) for n in "ab"]
    answer = await client.post("/v1/templates", json={**NEWS, "html": "<p>x</p>", "attachments": two})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "too_large"
