"""What every request gets before and after its route: an id, bounds of size and time, safe headers, a last net.

Pure ASGI, outside of FastAPI, so that its answers to what no route knows have them too.
"""

import asyncio
import traceback
from collections.abc import Callable
from pathlib import PurePath
from uuid import UUID

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import meters, problems
from api.errors import DeadlinePassed, RequestTimeout
from core import ids, logs
from core.clock import Clock
from core.errors import Fault, TodokuError, TooLarge

log = logs.get()

MAX_BODY = 5_000_000
"""Bytes of a body that is not an upload."""

UPLOADS = frozenset({"/v1/imports"})
READ_SECONDS = 30.0
"""Longest wait for the next piece of a body."""
ANSWER_SECONDS = 40.0
"""Longest work on a request; less than the minute after which an Idempotency-Key counts as abandoned."""
SEND_SECONDS = 60.0
"""Longest wait for the caller to take the next piece of an answer."""
UPLOAD_SECONDS = 4 * 3600.0

_HEADERS = [
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    ),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=31536000"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]


class Guard:
    """The outermost layer of the API. `import_max_bytes` bounds uploads, MAX_BODY all else."""

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], UUID], clock: Clock, import_max_bytes: int) -> None:
        self._app = app
        self._new_id = new_id
        self._clock = clock
        self._import_max_bytes = import_max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = ids.encode("req", self._new_id())
        scope.setdefault("state", {})["request_id"] = request_id
        upload = scope["method"] == "POST" and scope["path"] in UPLOADS
        body = _Body(receive, scope, self._import_max_bytes if upload else MAX_BODY)
        answer = _Answer(send, request_id)
        began = self._clock.monotonic()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            error = await self._serve(scope, body, answer, UPLOAD_SECONDS if upload else ANSWER_SECONDS)
            if error is not None and answer.status is None:
                await problems.answer(error, request_id)(scope, receive, answer.send)
        meters.observe(scope, answer.status or 0, self._clock.monotonic() - began)

    async def _serve(self, scope: Scope, body: "_Body", answer: "_Answer", seconds: float) -> TodokuError | None:
        try:
            async with asyncio.timeout(seconds) as deadline:
                answer.deadline = deadline
                body.check_length()
                await self._app(scope, body.receive, answer.send)
        except TimeoutError:
            log.warning("request_timed_out")
            return DeadlinePassed(f"No answer within {seconds:g} s")
        except TodokuError as error:
            return error
        except ClientDisconnect:
            log.info("caller_left")
        except Exception as error:  # noqa: BLE001 - the last net: whatever it is, the caller gets an answer
            # Where, not what: an exception's text may hold values.
            where = [f"{PurePath(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
            log.error("request_failed", error=type(error).__name__, where=" ".join(where[-8:]))  # noqa: TRY400
            return TodokuError()
        finally:
            answer.deadline = None
        return None


class _Body:
    def __init__(self, receive: Receive, scope: Scope, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._taken = 0
        self._length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        self._whole = False

    def check_length(self) -> None:
        if self._length.isdigit() and int(self._length) > self._limit:
            raise self._too_large()

    async def receive(self) -> Message:
        if self._whole:
            return await self._receive()  # what comes after the body is the caller's leaving: no time limit
        try:
            async with asyncio.timeout(READ_SECONDS):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout(f"No piece of the body came for {READ_SECONDS:g} s") from None
        self._taken += len(message.get("body", b""))
        if self._taken > self._limit:
            raise self._too_large()
        self._whole = not message.get("more_body", False)
        return message

    def _too_large(self) -> TooLarge:
        detail = f"At most {self._limit:,} bytes are taken here"
        return TooLarge(detail, [Fault("", "too-large", detail)])


class _Answer:
    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._own = [*_HEADERS, (b"x-request-id", request_id.encode())]
        self.status: int | None = None
        self.deadline: asyncio.Timeout | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.deadline is not None:
                # The work is done; a long download may take its time, piece by piece.
                self.deadline.reschedule(None)
            message["headers"] = [*message.get("headers", ()), *self._own]
        async with asyncio.timeout(SEND_SECONDS):
            await self._send(message)
