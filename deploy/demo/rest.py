"""A client of the REST API, as any program outside would write one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import httpx

from core.errors import TodokuError

_SECONDS = 60.0


class Refused(TodokuError):  # noqa: N818 - named by meaning, as all errors here
    """The API answered with a problem (RFC 9457) to a request that ought to succeed."""

    code = "demo-refused"
    title = "The API refused a request of the demo"


class Api:
    """Speaks JSON; every POST carries an Idempotency-Key. Paths begin behind /v1/."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **query: str | int) -> Any:
        """Return the answer to a GET."""
        return _read(await self._http.get(path, params=query))

    async def get_text(self, path: str) -> str:
        """Return the body of a GET that is not JSON."""
        answer = await self._http.get(path)
        _require(answer)
        return answer.content.decode("utf-8-sig")

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer to a POST."""
        return _read(await self._http.post(path, json=body, headers=_key()))

    async def change(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the answer to a PATCH of what stands there now."""
        present = await self._http.get(path)
        _require(present)
        return _read(await self._http.patch(path, json=body, headers={"if-match": present.headers["etag"]}))

    async def upload(self, path: str, name: str, content: bytes, fields: Mapping[str, str]) -> Any:
        """Return the answer to a POST of a file as multipart/form-data."""
        file = {"file": (name, content, "text/csv")}
        return _read(await self._http.post(path, files=file, data=dict(fields), headers=_key()))


@asynccontextmanager
async def open_api(url: str, key: str) -> AsyncIterator[Api]:
    """Open a client of the API at `url` (without /v1)."""
    # Without the environment's proxies: everything here is on loopback.
    async with httpx.AsyncClient(
        base_url=f"{url}/v1/", headers={"authorization": f"Bearer {key}"}, timeout=_SECONDS, trust_env=False
    ) as http:
        yield Api(http)


def _key() -> dict[str, str]:
    return {"idempotency-key": uuid4().hex}


def _read(answer: httpx.Response) -> Any:
    _require(answer)
    return answer.json() if answer.content else None


def _require(answer: httpx.Response) -> None:
    if answer.status_code < HTTPStatus.BAD_REQUEST:
        return
    request = f"{answer.request.method} {answer.request.url.path}"
    try:
        problem = answer.json()
        faults = "; ".join(f"{fault['pointer']}: {fault['detail']}" for fault in problem.get("errors", []))
        said = f"{problem['title']}. {problem.get('detail') or ''} {faults}".strip()
    except (ValueError, KeyError, TypeError):
        said = "no problem+json"
    raise Refused(f"{request} was answered {answer.status_code}: {said}")
