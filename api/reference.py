"""The two pages that need no key: the API's description as OpenAPI, and the same for people, without any script."""

import re
from collections.abc import Callable, Iterator
from html import escape
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from api import problems
from api.scopes import SCOPES
from core.errors import TodokuError

OPENAPI = "/v1/openapi.json"

_QUOTED, _CODE = re.compile(r"`([^`]+)`"), r"<code>\1</code>"

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Todoku: REST reference</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
code {{ background: #f3f3f0; padding: .1em .3em; border-radius: 3px; overflow-wrap: anywhere }}
td, th {{ text-align: left; vertical-align: top; padding: .3em 1em .3em 0; border-bottom: 1px solid #ddd }}
table {{ border-collapse: collapse; width: 100% }}
.resource td:first-child {{ width: 44% }} .resource td:last-child {{ width: 22% }}
@media (max-width: 40rem) {{
  th {{ display: none }}
  td {{ display: block; width: auto !important; border: 0; padding: 0 }}
  tr {{ display: block; padding: .5em 0; border-bottom: 1px solid #ddd }}
}}
</style>
<h1>Todoku: REST reference</h1>
<p>The whole description, with schemas and examples: <a href="{openapi}">{openapi}</a>.</p>
<h2>Resources</h2><p>A request, what it does, and the scope that its key needs.</p><p>{contents}</p>
{resources}
<h2>Scopes</h2><table>{scopes}</table>
<h2>Problems</h2><p>Every error is <code>application/problem+json</code>; its <code>type</code> leads here.</p>
<table><tr><th>Type<th>Status<th>Meaning</tr>{problems}</table>
</html>
"""


def add_to(app: FastAPI, describe: Callable[[], dict[str, Any]]) -> None:
    """Serve both pages."""

    async def openapi(_: Request) -> Response:
        return Response(orjson.dumps(describe()), media_type="application/json")

    async def reference(_: Request) -> Response:
        return HTMLResponse(page(describe()))

    app.add_route(OPENAPI, openapi, include_in_schema=False)
    app.add_route(problems.REFERENCE, reference, include_in_schema=False)


def page(document: dict[str, Any]) -> str:
    """Return the reference of an OpenAPI document as HTML."""
    rows: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            rows.setdefault(operation["tags"][0], []).append(_row(method, path, operation))
    resources = "".join(
        f'<h3 id="of-{tag}">{tag}</h3><table class="resource">{"".join(of_tag)}</table>' for tag, of_tag in rows.items()
    )
    contents = " · ".join(f'<a href="#of-{tag}">{tag}</a>' for tag in rows)
    scopes = "".join(f"<tr><td><code>{scope}</code><td>{escape(what)}</tr>" for scope, what in SCOPES.items())
    kinds = "".join(
        f'<tr id="{kind.code}"><td><code>{kind.code}</code><td>{problems.status_of(kind)}<td>{escape(kind.title)}</tr>'
        for kind in sorted(set(_kinds(TodokuError)), key=lambda kind: (problems.status_of(kind), kind.code))
    )
    return _PAGE.format(openapi=OPENAPI, contents=contents, resources=resources, scopes=scopes, problems=kinds)


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    scopes = " or ".join(f"<code>{escape(scope)}</code>" for scope in operation.get("x-scopes", []))
    # A long path is broken where a part of it ends.
    request = f"<code>{method.upper()} {escape(path).replace('/', '<wbr>/')}</code>"
    return f"<tr><td>{request}<td>{_QUOTED.sub(_CODE, escape(operation['summary']))}<td>{scopes}</tr>"


def _kinds(kind: type[TodokuError]) -> Iterator[type[TodokuError]]:
    if "code" in vars(kind):
        yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)
