"""The bounds on a head that uvicorn's own protocol has not."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.responses import PlainTextResponse

from deploy import bounded_protocol
from deploy.bounded_protocol import BoundedProtocol
from deploy.http_server import serve
from deploy.ports import free_port
from tests.support.raw_http import said


@pytest.fixture
async def port() -> AsyncIterator[int]:
    ready, stop, port = asyncio.Event(), asyncio.Event(), free_port()
    serving = asyncio.create_task(
        serve(
            PlainTextResponse("here"),
            host="127.0.0.1",
            port=port,
            setting="TODOKU_PAGES_PORT",
            stop=stop,
            on_ready=ready.set,
            http=BoundedProtocol,
        )
    )
    await ready.wait()
    yield port
    stop.set()
    await serving


async def test_a_head_without_end_is_cut_off(port: int) -> None:
    answer = await said(port, b"GET / HTTP/1.1\r\nhost: t\r\nx: ", *[b"a" * 8_192] * 40)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    answer = await said(port, b"GET /" + b"a" * 40_000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_a_head_that_never_ends_is_dropped(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(bounded_protocol, "HEAD_SECONDS", 0.05)
    assert await said(port, b"GET / HTTP/1.1\r\nhost: t\r\nx: y") == b""
    assert await said(port) == b""
    answer = await said(port, b"GET / HTTP/1.1\r\nhost: t\r\n\r\nGET /heal")
    assert answer.startswith(b"HTTP/1.1 200 ")
