import asyncio
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest

from core.ids import IdSource
from tests.support.raw_http import said
from tests.support.runs import Run, make_run
from tests.support.tracker import served_tracker
from tracking import tallies


@pytest.fixture
async def sent(main: asyncpg.Pool, new_id: IdSource) -> Run:
    return await make_run(main, new_id, recipients=20)


@pytest.fixture
async def port(main_tracker: asyncpg.Pool) -> AsyncIterator[int]:
    async with served_tracker(main_tracker) as port:
        yield port


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


async def test_what_is_not_http_is_refused(port: int) -> None:
    assert (await said(port, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_a_body_that_is_announced_too_large_is_refused(main: asyncpg.Pool, port: int, sent: Run) -> None:
    head = f"POST {sent.unsubscribe_path(1)} HTTP/1.1\r\nhost: t\r\ncontent-length: 1000000\r\n\r\n".encode()
    answer = await said(port, head, b"x" * 5_000)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert await main.fetchval("SELECT count(*) FROM stop") == 0


async def test_a_body_that_breaks_off_unsubscribes_nobody(main: asyncpg.Pool, port: int, sent: Run) -> None:
    head = f"POST {sent.unsubscribe_path(1)} HTTP/1.1\r\nhost: t\r\ncontent-length: 26\r\n\r\n".encode()
    assert await said(port, head + b"List-Unsub", end=True) == b""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as web:
        await web.get(sent.open_path(1))
    assert await main.fetchval("SELECT count(*) FROM stop") == 0


async def test_a_tracker_answers_under_its_own_names_alone(main_tracker: asyncpg.Pool, sent: Run) -> None:
    async with served_tracker(main_tracker, hosts=["click.example.jp"]) as port:
        for host, status in (("click.example.jp", 200), ("evil.example", 421)):
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers={"host": host}) as web:
                answer = await web.get(sent.open_path(1))
            assert answer.status_code == status
            assert answer.headers["cache-control"] == "no-store"
