import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from core.ids import IdSource
from tests.support.runs import Run, make_run
from tests.support.tracker import served_tracker
from tracking import tallies
from tracking.endpoint import protocol


@pytest.fixture
async def sent(main: asyncpg.Pool, new_id: IdSource) -> Run:
    return await make_run(main, new_id, recipients=20)


@pytest.fixture
async def port(main_tracker: asyncpg.Pool) -> AsyncIterator[int]:
    async with served_tracker(main_tracker) as port:
        yield port


async def said(port: int, *pieces: bytes) -> bytes:
    """Send bytes as they are; return all that comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_a_readers_whole_way_over_real_http(main: asyncpg.Pool, port: int, sent: Run) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as web:
        pixels = await asyncio.gather(*(web.get(sent.open_path(1 + n % 20)) for n in range(200)))
        assert {pixel.status_code for pixel in pixels} == {200}
        head = await web.head(sent.open_path(1))
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "43")
        click = await web.get(sent.click_path(3, 0))
        assert (click.status_code, click.headers["location"]) == (302, "https://shop.example.jp/spring?a=1&b=2")
        assert (await web.get(sent.unsubscribe_path(3))).status_code == 303
        done = await web.post(sent.unsubscribe_path(3), data={"List-Unsubscribe": "One-Click"})
        assert done.status_code == 200
        assert "server" not in done.headers
        assert (await web.get("/healthz")).text == "ok\n"
    found = {(t.kind, t.link): (t.total, t.people) for t in await tallies.read(main, [sent.run_id])}
    assert found == {
        ("open", -1): (200, 20),
        ("click", -1): (1, 1),
        ("click", 0): (1, 1),
        ("unsubscribe", -1): (1, 1),
    }


async def test_a_head_without_end_is_cut_off(port: int) -> None:
    answer = await said(port, b"GET / HTTP/1.1\r\nhost: t\r\nx: ", *[b"a" * 8_192] * 40)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    answer = await said(port, b"GET /" + b"a" * 40_000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_a_head_that_never_ends_is_dropped(
    monkeypatch: pytest.MonkeyPatch, main_tracker: asyncpg.Pool, port: int
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    assert await said(port, b"GET /healthz HTTP/1.1\r\nhost: t\r\nx: y") == b""
    assert await said(port) == b""
    answer = await said(port, b"GET /healthz HTTP/1.1\r\nhost: t\r\n\r\nGET /heal")
    assert answer.startswith(b"HTTP/1.1 200 ")


async def test_what_is_not_http_is_refused(port: int) -> None:
    assert (await said(port, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_a_body_that_is_announced_too_large_is_refused(main: asyncpg.Pool, port: int, sent: Run) -> None:
    head = f"POST {sent.unsubscribe_path(1)} HTTP/1.1\r\nhost: t\r\ncontent-length: 1000000\r\n\r\n".encode()
    answer = await said(port, head, b"x" * 5_000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert await main.fetchval("SELECT count(*) FROM stop") == 0


async def test_a_body_that_breaks_off_unsubscribes_nobody(main: asyncpg.Pool, port: int, sent: Run) -> None:
    head = f"POST {sent.unsubscribe_path(1)} HTTP/1.1\r\nhost: t\r\ncontent-length: 26\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"List-Unsub")
    writer.write_eof()
    await reader.read()
    writer.close()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as web:
        await web.get(sent.open_path(1))
    assert await main.fetchval("SELECT count(*) FROM stop") == 0
