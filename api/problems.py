"""Every error as application/problem+json (RFC 9457): one table from meaning to status, one form for all.

An answer never repeats what was sent: a fault says where and what kind, the value stays with the caller.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import asyncpg
import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api import errors as http
from core import errors, logs
from core.database import AWAY
from core.errors import Fault, TodokuError

log = logs.get()

MEDIA_TYPE = "application/problem+json"
REFERENCE = "/v1/reference"

STATUS: Mapping[type[TodokuError], int] = MappingProxyType(
    {
        http.MalformedRequest: 400,
        errors.Unauthenticated: 401,
        errors.PermissionDenied: 403,
        errors.NotFound: 404,
        errors.Tampered: 404,
        http.MethodNotAllowed: 405,
        http.RequestTimeout: 408,
        errors.Conflict: 409,
        errors.Gone: 410,
        errors.StaleRevision: 412,
        errors.TooLarge: 413,
        http.UnsupportedMediaType: 415,
        errors.InvalidInput: 422,
        http.KeyReused: 422,
        http.PreconditionRequired: 428,
        errors.Unavailable: 503,
        errors.Superseded: 503,
        http.DeadlinePassed: 504,
        TodokuError: 500,
    }
)
"""The nearest class in an error's ancestry decides."""

_HEADERS: Mapping[int, Mapping[str, str]] = MappingProxyType(
    {401: {"WWW-Authenticate": 'Bearer realm="todoku"'}, 503: {"Retry-After": "5"}, 408: {"Connection": "close"}}
)
_MAX_FAULTS = 100
_MAX_POINTER = 200


class FaultShown(BaseModel):
    """One thing wrong with the request."""

    pointer: str = Field(
        description="JSON Pointer (RFC 6901) into the body, or /query/…, /header/…", examples=["/name"]
    )
    code: str = Field(examples=["missing"])
    detail: str = Field(examples=["Field required"])


class Problem(BaseModel):
    """An error's answer (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/v1/reference#invalid-input",
                    "title": "The input is not valid",
                    "status": 422,
                    "detail": "1 fault was found",
                    "instance": "req_06dxk3v8e5y7r1m2n4p6q8s0tz",
                    "errors": [{"pointer": "/name", "code": "missing", "detail": "Field required"}],
                }
            ]
        }
    )

    type: str = Field(description="A stable address of the explanation")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The request's id, also in X-Request-Id")
    errors: list[FaultShown] = Field(description="Every fault at once")


def status_of(kind: type[TodokuError]) -> int:
    """Return the HTTP status of an error class."""
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)


def answer(error: TodokuError, request_id: str) -> Response:
    """Return the answer that says what `error` means; what is our own fault is logged, not told."""
    status = status_of(type(error))
    internal = status == HTTPStatus.INTERNAL_SERVER_ERROR
    # A bare TodokuError stands for an exception that the guard has logged already.
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and type(error) is not TodokuError:
        log.warning("request_refused", error=type(error.__cause__ or error).__name__, why=error.detail, status=status)
    shown = [
        {"pointer": fault.pointer[:_MAX_POINTER], "code": fault.code, "detail": fault.detail}
        for fault in error.faults[:_MAX_FAULTS]
    ]
    body = {
        "type": f"{REFERENCE}#{'internal' if internal else error.code}",
        "title": TodokuError.title if internal else error.title,
        "status": status,
        "detail": "The logs know this request by its id" if internal else error.detail,
        "instance": request_id,
        "errors": [] if internal else shown,
    }
    return Response(orjson.dumps(body), status, headers=dict(_HEADERS.get(status, {})), media_type=MEDIA_TYPE)


def meaning_of(error: Exception) -> TodokuError | None:
    """Return what an exception means to the caller, or None for one that is our own fault."""
    if isinstance(error, TodokuError):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, (*AWAY, asyncpg.QueryCanceledError)):
        away = errors.Unavailable("A database is away or overloaded just now; try again later")
        away.__cause__ = error
        return away
    return None


async def on_error(request: Request, error: Exception) -> Response:
    """Answer an exception that `meaning_of` knows (FastAPI's handler for them)."""
    response = answer(meaning_of(error) or TodokuError(), request.state.request_id)
    if isinstance(error, HTTPException) and error.headers:
        # The router's: a 405 says in Allow what the resource knows (RFC 9110 section 15.5.6).
        response.headers.update(error.headers)
    return response


def _http(error: HTTPException) -> TodokuError:
    # Only the router and FastAPI's own body reader raise these; the reader wraps what reading raised.
    if isinstance(error.__cause__, TodokuError):
        return error.__cause__
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return http.MethodNotAllowed()
    if error.status_code == HTTPStatus.NOT_FOUND:
        return errors.NotFound("There is no such resource")
    return http.MalformedRequest()


def _invalid(error: RequestValidationError) -> TodokuError:
    found: Sequence[Mapping[str, Any]] = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return http.MalformedRequest("The body is not JSON", [Fault("", "not-json", "The body is not valid JSON")])
    faults = [Fault(_pointer(item["loc"]), str(item["type"]).replace("_", "-"), _said(item)) for item in found]
    count = len(faults)
    return errors.InvalidInput(f"{count} fault{'s were' if count != 1 else ' was'} found", faults)


def _said(item: Mapping[str, Any]) -> str:
    return str(item["msg"]).removeprefix("Value error, ")


def _pointer(location: Sequence[str | int]) -> str:
    # RFC 6901 section 3: ~ and / are escaped.
    parts = [str(part).replace("~", "~0").replace("/", "~1") for part in location]
    return "".join(f"/{part}" for part in (parts[1:] if parts[0] == "body" else parts))
