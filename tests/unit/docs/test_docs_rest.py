import inspect
import json
import re
from typing import get_args

import pytest
from fastapi.routing import APIRoute

from api import problems
from api.app import api_routes
from api.route import permission_of
from api.scopes import SCOPES
from api.values import Body
from core.errors import TodokuError
from tests.unit.docs.reading import Curl, code, import_everything, page, rows, section, shown_requests

REST = page("reference/rest.md")
ID = "01jd0n4v7m8x2e6g9qk3s5t7wz"
VARIABLES = {"$SENDER": f"snd_{ID}", "$TEMPLATE": f"tpl_{ID}", "$AT": "2026-12-01T09:00:00Z"}
REQUESTS = list(shown_requests())


def test_every_route_is_listed_with_its_scopes_and_no_other() -> None:
    listed = {code(request): scopes.replace("`", "") for request, _, scopes in rows(section(REST, "Routes"))[1:]}
    assert listed == {
        f"{method} {route.path}": " or ".join(permission_of(route).scopes)
        for route in api_routes()
        for method in route.methods or ()
    }


def test_every_scope_is_listed_in_its_own_words() -> None:
    listed = {code(scope): meaning for scope, meaning in rows(section(REST, "Scopes"))[1:]}
    assert listed == {scope: f"{meaning}." for scope, meaning in SCOPES.items()}


def kinds(kind: type[TodokuError]) -> set[type[TodokuError]]:
    return {kind}.union(*(kinds(below) for below in kind.__subclasses__()))


def test_every_problem_that_can_be_answered_has_its_heading_and_status() -> None:
    import_everything()
    text = page("reference/problems.md")
    described = dict(re.findall(r"^### ([a-z-]+)\n(\d{3})\b", text, re.MULTILINE))
    answered = {kind.code: str(problems.status_of(kind)) for kind in kinds(TodokuError)}
    # Whatever else is a 500 is answered as `internal`.
    assert described == {code: status for code, status in answered.items() if status != "500" or code == "internal"}


def route_of(request: Curl) -> APIRoute:
    path = re.sub(r"\$[A-Z]+|\b[a-z]{3}_…", "x", request.url.removeprefix("$U")).partition("?")[0]
    for route in api_routes():
        wanted = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(route.path))
        if request.method in (route.methods or ()) and re.fullmatch(wanted, path):
            return route
    raise AssertionError(f"{request.page}: there is no {request.method} {request.url}")


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: f"{one.page} {one.method} {one.url}")
def test_every_request_that_the_handbook_shows_is_one_that_the_api_takes(request_: Curl) -> None:
    route = route_of(request_)
    annotations = [parameter.annotation for parameter in inspect.signature(route.endpoint).parameters.values()]
    choices = [choice for annotation in annotations for choice in (annotation, *get_args(annotation))]
    models = [choice for choice in choices if isinstance(choice, type) and issubclass(choice, Body)]
    if request_.body is None:
        return
    (model,) = models
    body = request_.body
    for name, value in VARIABLES.items():
        body = body.replace(name, value)
    model.model_validate_json(json.dumps(json.loads(re.sub(r"\b([a-z]{3})_…", rf"\1_{ID}", body))))


def test_the_handbook_shows_the_whole_way_of_a_campaign() -> None:
    for name in ("README.md", "tutorial.md"):
        paths = {route_of(request).path for request in REQUESTS if request.page == name}
        assert paths >= {
            "/v1/imports",
            "/v1/senders",
            "/v1/templates",
            "/v1/campaigns",
            "/v1/campaigns/{campaign_id}/schedule",
            "/v1/reports/campaigns/{campaign_id}",
        }
