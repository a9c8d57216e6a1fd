"""Every error as a page in plain words: what happened, and what the reader can do now."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

import asyncpg
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from api.pages.errors import Expired, Misdirected, TooOften, Unreadable
from api.pages.services import services_of
from core import errors, logs
from core.database import AWAY
from core.errors import TodokuError

log = logs.get()

STATUS: Mapping[type[TodokuError], int] = MappingProxyType(
    {
        Unreadable: 400,
        errors.InvalidInput: 400,
        Misdirected: 403,
        errors.NotFound: 404,
        errors.Tampered: 404,
        errors.Conflict: 409,
        Expired: 410,
        TooOften: 429,
        errors.Unavailable: 503,
        TodokuError: 500,
    }
)
"""The nearest class in an error's ancestry decides; statuses without words of their own have those of 500."""

RETRY_SECONDS = 10

_MEANINGS: Mapping[int, type[TodokuError]] = {404: errors.NotFound, 405: errors.NotFound}


def page(request: Request, error: TodokuError) -> Response:
    """Return the page that says what `error` means. What is our own fault is logged, not told."""
    status = next(STATUS[ancestor] for ancestor in type(error).__mro__ if ancestor in STATUS)
    headers = {}
    if isinstance(error, TooOften):
        headers["Retry-After"] = str(error.seconds)
    elif status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_SECONDS)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and type(error) is not TodokuError:
        log.warning("page_refused", error=type(error.__cause__ or error).__name__, why=error.detail, status=status)
    minutes = -(-error.seconds // 60) if isinstance(error, TooOften) else 0
    # An endpoint that knows whose page it is has said so; what goes wrong then has the account's look too.
    branding = getattr(request.state, "branding", None)
    return services_of(request).pages.render(
        request,
        "refusal.html",
        branding=branding,
        status=status,
        headers=headers,
        code=status,
        minutes=minutes,
        path=None if request.method == "POST" else "",
    )


async def on_error(request: Request, error: Exception) -> Response:
    """Answer an exception (FastAPI's handler for those that `kinds` names)."""
    return page(request, _meaning(error))


KINDS: tuple[type[Exception], ...] = (
    TodokuError,
    RequestValidationError,
    HTTPException,
    asyncpg.QueryCanceledError,
    *(kind for kind in AWAY if issubclass(kind, Exception)),
)
"""What is known to mean something."""


def _meaning(error: Exception) -> TodokuError:
    if isinstance(error, TodokuError):
        return error
    if isinstance(error, HTTPException):
        return _MEANINGS.get(error.status_code, Unreadable)()
    if isinstance(error, RequestValidationError):
        return errors.NotFound()
    away = errors.Unavailable("A database is away or overloaded just now")
    away.__cause__ = error
    return away
