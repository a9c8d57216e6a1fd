"""The API's description: FastAPI's, with what our edge adds to each operation (problems, the key, repeatable POSTs)."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from api import idempotency, problems
from api.route import permission_of
from api.scopes import SCOPES
from api.segments import rule

TITLE = "Todoku"
VERSION = "1"
DESCRIPTION = """\
Email campaigns over an encrypted member database. Authenticate with `Authorization: Bearer tdk_…`; every error is
`application/problem+json` with all faults at once; every POST takes an `Idempotency-Key`; every PATCH needs `If-Match`.
"""

_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}


def describe(app: FastAPI, routes: list[APIRoute]) -> dict[str, Any]:
    """Return the OpenAPI document; it is made once and kept."""
    if app.openapi_schema is None:
        document = get_openapi(title=TITLE, version=VERSION, description=DESCRIPTION, routes=app.routes)
        document = _with_references(document)
        _add_components(document)
        for route in routes:
            for method in route.methods or ():
                _complete(document["paths"][route.path_format][method.lower()], method, route)
        app.openapi_schema = document
    return app.openapi_schema


def _complete(operation: dict[str, Any], method: str, route: APIRoute) -> None:
    scopes = list(permission_of(route).scopes)
    operation["security"] = [{"key": []}]
    operation["x-scopes"] = scopes
    # The first sentence of an endpoint's docstring is its summary.
    summary, _, rest = " ".join(operation["description"].split()).partition(". ")
    operation["summary"] = summary.removesuffix(".")
    needs = f"Needs the scope {' or '.join(f'`{scope}`' for scope in scopes)}."
    operation["description"] = f"{rest}\n\n{needs}".strip()
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
    for parameter in operation.get("parameters", ()):
        # Optional to FastAPI alone, so that its absence is our 428 and not a 422.
        parameter["required"] |= parameter["name"] == "if-match"
    if method == "POST":
        operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})


def _with_references(part: Any) -> Any:
    """Turn `{"x-component": name}` into a reference: pydantic knows no component that it has not made itself."""
    if isinstance(part, list):
        return [_with_references(one) for one in part]
    if not isinstance(part, dict):
        return part
    if "x-component" in part:
        return {"$ref": f"#/components/schemas/{part['x-component']}"}
    return {key: _with_references(value) for key, value in part.items()}


def _add_components(document: dict[str, Any]) -> None:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    schemas[rule.NAME] = dict(rule.SCHEMA)
    components["responses"] = {
        "Problem": {
            "description": "What went wrong, with every fault at once",
            "content": {problems.MEDIA_TYPE: {"schema": _PROBLEM_REF}},
        }
    }
    components["parameters"] = {
        "IdempotencyKey": {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Kept for 24 hours: the same key and request get the same answer",
            "schema": {"type": "string", "minLength": 1, "maxLength": idempotency.MAX_KEY},
            "example": "5f0c2c1e-december",
        }
    }
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "Scopes:\n" + "\n".join(f"- `{scope}`: {what}" for scope, what in SCOPES.items()),
        }
    }
