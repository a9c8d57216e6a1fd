"""The route table: every route asks for a scope, gives it to that scope alone, and knows nothing of other accounts."""

import re
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client import REGISTRY

from api.app import api_routes
from api.route import permission_of
from api.scopes import SCOPES
from core import ids

WITHOUT_KEY = {"/v1/openapi.json", "/v1/reference"}
KINDS = {
    "attribute_id": "atr",
    "member_id": "mem",
    "group_id": "grp",
    "topic_id": "top",
    "import_id": "imp",
    "preview_id": "prv",
    "export_id": "exp",
    "segment_id": "seg",
    "sender_id": "snd",
    "attachment_id": "att",
    "template_id": "tpl",
    "campaign_id": "cmp",
    "run_id": "run",
    "webhook_id": "whk",
    "name": "atr",
}


def requests() -> list[tuple[str, str, APIRoute]]:
    return [(method, route.path, route) for route in api_routes() for method in sorted(route.methods)]


def path_of(template: str, known: dict[str, str], services: Any) -> str:
    def fill(found: re.Match[str]) -> str:
        name = found[1]
        if name == "suppression_id":
            return known.get(name, "sup_" + "0" * 64)
        return known.get(name) or ids.encode(KINDS[name], services.new_id())

    return re.sub(r"\{(\w+)\}", fill, template)


async def test_every_route_but_two_asks_for_a_scope(app: FastAPI, client: httpx.AsyncClient) -> None:
    document = (await client.get("/v1/openapi.json")).json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(method, path) for method, path, _ in requests()}
    assert all(permission_of(route).scopes for route in api_routes())
    del client.headers["Authorization"]
    for path in WITHOUT_KEY:
        assert (await client.get(path)).status_code == 200


async def test_without_a_key_every_route_answers_401(client: httpx.AsyncClient, services: Any) -> None:
    del client.headers["Authorization"]
    for method, path, _ in requests():
        answer = await client.request(method, path_of(path, {}, services))
        assert answer.status_code == 401, (method, path)


async def test_a_scope_opens_its_own_routes_and_no_other(accounts: Any, account: Any, services: Any) -> None:
    for scope in SCOPES:
        async with accounts.client(account.account_id, scope) as caller:
            for method, path, route in requests():
                answer = await caller.request(method, path_of(path, {}, services))
                if scope in permission_of(route).scopes:
                    assert answer.status_code in {200, 204, 400, 404, 409, 415, 422, 428}, (method, path, answer.text)
                else:
                    assert answer.status_code == 403, (method, path)
                    assert answer.json()["type"] == "/v1/reference#permission-denied"


def example_of(document: dict[str, Any], path: str, method: str) -> Any:
    body = document["paths"][path][method.lower()].get("requestBody")
    if body is None or "application/json" not in body["content"]:
        return None
    schema = body["content"]["application/json"]["schema"]
    name = next(part["$ref"] for part in [schema, *schema.get("anyOf", [])] if "$ref" in part).rpartition("/")[2]
    examples = document["components"]["schemas"][name].get("examples")
    return examples[0] if examples else {}


async def test_another_accounts_things_are_not_there(
    story: Any, client: httpx.AsyncClient, stranger: Any, services: Any
) -> None:
    document = (await client.get("/v1/openapi.json")).json()
    before = {path: (await client.get(path)).text for path in story.paths}
    asked = 0
    for method, path, _ in requests():
        if "{" not in path:
            continue
        body = example_of(document, path, method)
        answer = await stranger.client.request(
            method, path_of(path, story.ids, services), json=body, headers={"If-Match": '"1"'}
        )
        assert answer.status_code == 404, (method, path, answer.text)
        assert answer.json()["type"] == "/v1/reference#not-found"
        asked += 1
    assert asked > 30
    assert {path: (await client.get(path)).text for path in story.paths} == before


async def test_ids_of_another_kind_are_not_there(client: httpx.AsyncClient, services: Any) -> None:
    for method, path, _ in requests():
        if "{" in path and method == "GET":
            wrong = re.sub(r"\{\w+\}", ids.encode("xyz", services.new_id()), path)
            assert (await client.get(wrong)).status_code == 404, path


async def test_what_no_route_knows_is_a_problem_too(client: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("GET", "/", 404),
        ("DELETE", "/v1/templates", 405),
        ("PUT", "/v1/openapi.json", 405),
        ("GET", "/v1/templates/", 404),
    ):
        answer = await client.request(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
        assert answer.json()["instance"] == answer.headers["X-Request-Id"]
        assert (answer.headers.get("Allow") is not None) == (status == 405)


async def test_every_answer_has_the_safe_headers(client: httpx.AsyncClient) -> None:
    for path in ("/v1/templates", "/v1/reference", "/v1/openapi.json", "/v1/nothing"):
        headers = (await client.get(path)).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Request-Id"].startswith("req_")


async def test_the_reference_loads_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    page = (await client.get("/v1/reference")).text
    assert "<script" not in page
    assert "http" not in page.replace("https://todoku", "")
    assert 'id="idempotency-key-reused"' in page


async def test_the_description_has_a_summary_and_problems_for_every_operation(client: httpx.AsyncClient) -> None:
    document = (await client.get("/v1/openapi.json")).json()
    assert document["info"]["title"] == "Todoku"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            where = (method, path)
            assert operation["summary"], where
            assert operation["tags"], where
            assert operation["description"], where
            assert "default" in operation["responses"], where
            assert "422" not in operation["responses"], where
            named = [parameter.get("$ref", "") for parameter in operation.get("parameters", [])]
            assert ("#/components/parameters/IdempotencyKey" in named) == (method == "post"), where
            body = operation.get("requestBody", {}).get("content", {})
            if "application/json" in body:
                assert example_of(document, path, method), where
    text = (await client.get("/v1/openapi.json")).text
    assert "HTTPValidationError" not in text
    for ref in set(re.findall(r'"\$ref":"#/([^"]+)"', text)):
        found: Any = document
        for part in ref.split("/"):
            found = found[part]


async def test_answers_are_counted_by_route_and_never_by_path(client: httpx.AsyncClient, services: Any) -> None:
    def counted(route: str, status: str) -> float:
        labels = {"method": "GET", "route": route, "status": status}
        return REGISTRY.get_sample_value("todoku_api_requests_total", labels) or 0.0

    before = counted("/v1/members/{member_id}", "404"), counted("other", "404")
    await client.get(f"/v1/members/{ids.encode('mem', services.new_id())}")
    await client.get("/v1/taro@example.jp")
    assert counted("/v1/members/{member_id}", "404") == before[0] + 1
    assert counted("other", "404") == before[1] + 1
    families = [sample.labels for family in REGISTRY.collect() for sample in family.samples]
    assert not any("taro" in value for labels in families for value in labels.values())
