"""The outermost layer: whatever happens inside, the caller gets a bounded, safe answer."""

import asyncio
from datetime import UTC, datetime

import httpx
import orjson
import pytest
import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import guard
from api.guard import MAX_BODY, Guard
from core.clock import FixedClock
from core.ids import IdSource

CLOCK = FixedClock(datetime(2026, 12, 1, tzinfo=UTC))


def guarded(app: ASGIApp) -> Guard:
    return Guard(app, new_id=IdSource(CLOCK), clock=CLOCK, import_max_bytes=10_000_000)


async def ask(app: ASGIApp, method: str = "GET", path: str = "/", content: bytes = b"") -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded(app)), base_url="http://t") as client:
        return await client.request(method, path, content=content)


async def read_all(_: Scope, receive: Receive, send: Send) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message["body"])
        more = message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": str(size).encode()})


async def test_a_body_is_bounded_and_an_upload_has_a_bound_of_its_own() -> None:
    assert (await ask(read_all, "POST", "/v1/groups", b"x" * MAX_BODY)).text == str(MAX_BODY)
    assert (await ask(read_all, "POST", "/v1/groups", b"x" * (MAX_BODY + 1))).status_code == 413
    assert (await ask(read_all, "POST", "/v1/imports", b"x" * 10_000_000)).text == "10000000"
    assert (await ask(read_all, "POST", "/v1/imports", b"x" * 10_000_001)).status_code == 413


async def test_a_crash_is_answered_and_logged_without_its_words() -> None:
    async def crash(_: Scope, __: Receive, ___: Send) -> None:
        raise ValueError("taro 太郎 lives here")

    with structlog.testing.capture_logs() as logs:
        answer = await ask(crash)
    assert (answer.status_code, answer.json()["type"]) == (500, "/v1/reference#internal")
    assert answer.json()["instance"] == answer.headers["X-Request-Id"]
    assert [entry["error"] for entry in logs] == ["ValueError"]
    assert "taro" not in f"{logs}{answer.text}"


async def test_work_that_takes_too_long_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(_: Scope, __: Receive, ___: Send) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(guard, "ANSWER_SECONDS", 0.01)
    answer = await ask(stuck)
    assert (answer.status_code, answer.json()["type"]) == (504, "/v1/reference#deadline-passed")


async def test_a_body_that_stops_coming_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "READ_SECONDS", 0.01)
    sent: list[Message] = []

    async def silence() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": "/v1/groups", "headers": []}
    await guarded(read_all)(scope, silence, send)
    assert sent[0]["status"] == 408
    assert orjson.loads(sent[1]["body"])["type"] == "/v1/reference#request-timeout"


async def test_an_answer_that_has_begun_has_no_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async def download(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        deadline = asyncio.timeout(0.05)
        with pytest.raises(TimeoutError):
            async with deadline:
                await asyncio.Event().wait()
        await send({"type": "http.response.body", "body": b"whole"})

    monkeypatch.setattr(guard, "ANSWER_SECONDS", 0.01)
    assert (await ask(download)).text == "whole"


async def test_a_caller_who_leaves_is_no_fault_of_ours() -> None:
    sent: list[Message] = []

    async def gone() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, _: Send) -> None:
        await Request(scope, receive).body()

    scope: Scope = {"type": "http", "method": "POST", "path": "/v1/imports", "headers": []}
    with structlog.testing.capture_logs() as logs:
        await guarded(app)(scope, gone, send)
    assert sent == []
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("caller_left", "info")]


async def test_what_is_not_http_passes() -> None:
    seen: list[str] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(_: Message) -> None: ...

    await guarded(app)({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
