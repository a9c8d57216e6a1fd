"""What every request to a page gets: bounds of time, the same strict headers, and a plain page when all else fails.

Pure ASGI, outside of FastAPI, so that its answers to what no route knows have them too.
"""

import asyncio
import traceback
from pathlib import PurePath

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import meters
from api.pages import refusals
from api.pages.page import HEADERS
from core import logs
from core.clock import Clock
from core.errors import TodokuError, Unavailable

log = logs.get()

ANSWER_SECONDS = 20.0
"""Of all that an answer takes, until its last byte is handed on."""
REFUSAL_SECONDS = 10.0

_HEADERS = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]


class Guard:
    """The outermost layer of the pages."""

    def __init__(self, app: ASGIApp, *, clock: Clock) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status: int | None = None
        began = self._clock.monotonic()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = list(message.get("headers", ()))
                said = {name for name, _ in own}
                message["headers"] = own + [header for header in _HEADERS if header[0] not in said]
            await send(message)

        error = await self._serve(scope, receive, answer)
        if error is not None and status is None:
            async with asyncio.timeout(REFUSAL_SECONDS):
                await refusals.page(Request(scope, receive), error)(scope, receive, answer)
        meters.observe(scope, status or 0, self._clock.monotonic() - began)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> TodokuError | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._app(scope, receive, send)
        except TimeoutError:
            log.warning("request_timed_out")
            return Unavailable(f"No answer within {ANSWER_SECONDS:g} s")
        except TodokuError as error:
            return error
        except ClientDisconnect:
            log.info("caller_left")
        except Exception as error:  # noqa: BLE001 - the last net: whatever it is, the reader gets a page
            # Where, not what: an exception's text may hold values.
            where = [f"{PurePath(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
            log.error("request_failed", error=type(error).__name__, where=" ".join(where[-8:]))  # noqa: TRY400
            return TodokuError()
        return None
