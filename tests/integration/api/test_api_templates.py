"""Templates over REST: versions, checks, previews, and every way to send a bad one."""

import httpx

NEWS = {"name": "news", "subject": "{{ name }} 様へ", "html": '<p>{{ name }}</p><a href="https://example.com/a">x</a>'}


async def test_a_template_is_created_read_changed_and_keeps_its_versions(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/templates", json=NEWS)
    assert made.status_code == 201, made.text
    where, etag = made.headers["Location"], made.headers["ETag"]
    assert made.json()["version"] == 1

    changed = await client.patch(where, json={"subject": "訂正"}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (await client.get(where)).json()["subject"] == "訂正"
    assert (await client.get(where, params={"version": 1})).json()["subject"] == NEWS["subject"]
    assert (await client.get(where, params={"version": 3})).status_code == 404


async def test_a_patch_needs_the_etag_of_what_was_read(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/templates", json=NEWS)
    where, etag = made.headers["Location"], made.headers["ETag"]
    assert (await client.patch(where, json={"name": "b"})).status_code == 428
    assert (await client.patch(where, json={"name": "b"}, headers={"If-Match": "W/x"})).status_code == 412
    assert (await client.patch(where, json={"name": "b"}, headers={"If-Match": etag})).status_code == 200
    stale = await client.patch(where, json={"name": "c"}, headers={"If-Match": etag})
    assert (stale.status_code, stale.json()["type"]) == (412, "/v1/reference#stale-revision")
    assert (await client.get(where)).json()["name"] == "b"


async def test_given_values_are_rendered(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/templates", json=NEWS)
    shown = await client.post(f"{made.headers['Location']}/render", json={"values": {"name": "<山田>"}})
    assert shown.status_code == 200, shown.text
    assert shown.json()["subject"] == "<山田> 様へ"
    assert "&lt;山田&gt;" in shown.json()["html"]
    checked = await client.post(f"{made.headers['Location']}/check")
    assert checked.json() == {"links": ["https://example.com/a"]}


BAD_TEMPLATES: list[tuple[dict[str, object], str, str]] = [
    ({"html": "<p>\n{% if %}\n</p>"}, "/html", "line 2"),
    ({"html": "{{ ''.__class__.__mro__ }}"}, "/html", ""),
    ({"html": "{{ cycler.__init__.__globals__ }}"}, "/html", ""),
    ({"html": "{{ shoe_size }}"}, "/html", "shoe_size"),
    ({"html": "{% for a in range(10**9) %}xxxxxxxxxx{% endfor %}"}, "/html", ""),
    ({"html": "{{ '%1000000000d' % 1 }}"}, "/html", ""),
    ({"subject": "a\r\nBcc: b@example.jp"}, "/subject", ""),
    ({"name": "a\nb"}, "/name", ""),
    ({"name": ""}, "/name", ""),
    ({"subject": 7}, "/subject", ""),
    ({"surprise": "x"}, "/surprise", ""),
]


async def test_a_bad_template_is_refused_with_its_fault_and_nothing_is_stored(client: httpx.AsyncClient) -> None:
    for change, pointer, said in BAD_TEMPLATES:
        answer = await client.post("/v1/templates", json={**NEWS, **change})
        problem = answer.json()
        assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json"), problem
        faults = [fault for fault in problem["errors"] if fault["pointer"] == pointer]
        assert faults
        assert any(said in fault["detail"] for fault in faults), problem
        assert (await client.get("/v1/templates")).json()["items"] == []


async def test_a_gigabyte_of_template_is_refused_unread(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/templates", content=b"{}", headers={"Content-Length": "1000000000"})
    assert (answer.status_code, answer.json()["type"]) == (413, "/v1/reference#too-large")


async def test_a_body_that_grows_past_the_bound_is_refused(client: httpx.AsyncClient) -> None:
    async def endless() -> object:
        for _ in range(10_000):
            yield b" " * 10_000

    for headers in ({}, {"Idempotency-Key": "k"}):
        answer = await client.post("/v1/templates", content=endless(), headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (413, "/v1/reference#too-large")


async def test_two_faults_are_told_at_once(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/templates", json={"subject": 3, "html": ["x"]})
    assert {fault["pointer"] for fault in answer.json()["errors"]} == {"/name", "/subject", "/html"}
    assert "x" not in {fault["detail"] for fault in answer.json()["errors"]}
