"""HTTP as the tracker speaks it, with an application that says what it was asked."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import SystemClock
from core.errors import ConfigurationError
from tests.support.raw_http import said
from tests.support.serving import listening
from tracking.endpoint.answer import Answer, make
from tracking.endpoint.connection import Bounds
from tracking.endpoint.request import Request
from tracking.endpoint.server import serve

ONCE = b"GET /now HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"


class Echo:
    """Answers with what was asked; /later once it is told to, /large with 100 KB."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.later: list[asyncio.Future[Answer]] = []
        self.came = asyncio.Event()

    def answer(self, request: Request) -> Answer | asyncio.Future[Answer]:
        self.asked.append(request)
        self.came.set()
        if request.path == "/later":
            self.later.append(asyncio.get_running_loop().create_future())
            return self.later[-1]
        return make(200, {}, b"x" * 100_000 if request.path == "/large" else request.path.encode())

    def explain(self, error: BaseException | int, request: Request) -> Answer:
        return make(error if isinstance(error, int) else 500, {}, type(error).__name__.encode())


@asynccontextmanager
async def served(
    echo: Echo, bounds: Bounds | None = None, *, port: int = 0, shared: bool = False
) -> AsyncIterator[int]:
    async def until(stop: asyncio.Event, on_ready: Callable[[int], None]) -> None:
        await serve(
            echo,
            host="127.0.0.1",
            port=port,
            stop=stop,
            clock=SystemClock(),
            shared=shared,
            bounds=bounds,
            on_ready=on_ready,
        )

    async with listening(until) as chosen:
        yield chosen


def bodies(wire: bytes) -> list[bytes]:
    """What answers on a wire say, one after the other."""
    found = []
    while wire:
        head, _, wire = wire.partition(b"\r\n\r\n")
        size = int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])
        found.append(wire[:size])
        wire = wire[size:]
    return found


async def test_an_answer_is_whole_and_dated() -> None:
    async with served(Echo()) as port:
        answer = await said(port, ONCE)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\ndate: ")
    assert head.endswith(b" GMT\r\nconnection: close")
    assert body == b"/now"


async def test_answers_come_in_the_order_of_their_requests() -> None:
    echo = Echo()
    async with served(echo) as port:
        talking = asyncio.create_task(said(port, b"GET /later HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n" + ONCE))
        await echo.came.wait()
        assert [request.path for request in echo.asked] == ["/later"]
        echo.later[0].set_result(make(200, {}, b"1"))
        assert bodies(await talking) == [b"1", b"/2", b"/now"]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 400), max_size=12))
def test_it_does_not_matter_how_requests_are_cut_on_the_wire(cuts: list[int]) -> None:
    wire = (
        b"GET /a%2Db?q=1 HTTP/1.1\r\nHost: t\r\nUser-Agent: x\r\n\r\n"
        b"POST /form HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello"
        b"POST /pieces HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        b"GET http://t/whole HTTP/1.1\r\n\r\n" + ONCE
    )
    places = sorted({0, len(wire), *(min(cut, len(wire)) for cut in cuts)})
    pieces = [wire[start:end] for start, end in pairwise(places)]

    async def talk() -> bytes:
        async with served(Echo()) as port:
            return await said(port, *pieces)

    assert bodies(asyncio.run(talk())) == [b"/a-b", b"/form", b"/pieces", b"/whole", b"/now"]


async def test_headers_are_read_in_lower_case() -> None:
    echo = Echo()
    async with served(echo) as port:
        await said(port, b"GET / HTTP/1.1\r\nUser-Agent: A b\r\nX: y\r\nConnection: close\r\n\r\n")
    assert (echo.asked[0].header(b"user-agent"), echo.asked[0].header(b"none")) == (b"A b", b"")


async def test_head_gets_no_body_and_its_length() -> None:
    async with served(Echo()) as port:
        answer = await said(port, b"HEAD /four HTTP/1.1\r\n\r\n" + ONCE)
    first, _, rest = answer.partition(b"\r\n\r\n")
    assert b"content-length: 5" in first
    assert rest.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "last",
    [
        b"GET /now HTTP/1.0\r\n\r\n",
        ONCE,
        b"GET /now HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n\x81\x00",
        b"GET /now HTTP/1.1\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n\r\n",
    ],
)
async def test_what_can_be_the_last_request_is_answered_and_closes(last: bytes) -> None:
    echo = Echo()
    async with served(echo) as port:
        assert bodies(await said(port, last)) == [b"/now"]
    assert len(echo.asked) == 1


async def test_whoever_asks_whether_to_send_a_body_is_told_to() -> None:
    async with served(Echo()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b"ok")
        assert b"HTTP/1.1 200 OK" in await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("wire", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 101 + b"\r\n", b"431"),
        (b"POST / HTTP/1.1\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 5_000, b"413"),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1_024 + b"\r\n", b""),
        (b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1388\r\n" + b"x" * 5_000 + b"\r\n", b"413"),
    ],
)
async def test_what_is_wrong_or_too_much_is_refused_and_asked_of_nobody(wire: bytes, status: bytes) -> None:
    echo = Echo()
    async with served(echo) as port:
        answer = await said(port, wire, end=not status)
    assert answer.startswith(b"HTTP/1.1 " + status if status else b"")
    assert answer.count(b"HTTP/1.1 ") == (1 if status else 0)
    assert echo.asked == []


async def test_a_peer_who_never_ends_a_body_gets_the_refusal_while_sending() -> None:
    async with served(Echo(), Bounds(linger_seconds=0.1, look=0.01)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        answer = asyncio.create_task(reader.readline())
        with suppress(ConnectionResetError, BrokenPipeError):
            while True:
                writer.write(b"400\r\n" + b"x" * 1_024 + b"\r\n")
                await writer.drain()
                await asyncio.sleep(0)
        assert (await answer).startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_a_head_without_end_is_refused() -> None:
    async with served(Echo()) as port:
        for begin in (b"GET / HTTP/1.1\r\nx: ", b"GET /"):
            answer = await said(port, begin, *[b"a" * 8_192] * 60)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")


async def test_many_requests_sent_together_are_no_long_head() -> None:
    async with served(Echo(), Bounds(head=1_000)) as port:
        assert len(bodies(await said(port, b"GET /x HTTP/1.1\r\n\r\n" * 2_000 + ONCE[:20], ONCE[20:]))) == 2_001


HURRIED = {"look": 0.01, "head_seconds": 30.0, "body_seconds": 30.0, "idle_seconds": 30.0, "answer_seconds": 30.0}


@pytest.mark.parametrize(
    ("hurry", "wire", "expected"),
    [
        ("head_seconds", b"", b""),
        ("head_seconds", b"GET / HTTP/1.1\r\nx: y", b""),
        ("head_seconds", b"GET /1 HTTP/1.1\r\n\r\nGET /2", b"HTTP/1.1 200 "),
        ("idle_seconds", b"GET /1 HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 "),
        ("body_seconds", b"POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nhalf", b"HTTP/1.1 408 "),
    ],
)
async def test_whoever_takes_too_long_is_cut_off(hurry: str, wire: bytes, expected: bytes) -> None:
    async with served(Echo(), Bounds(**{**HURRIED, hurry: 0.05})) as port:
        answer = await asyncio.wait_for(said(port, wire), 20)
    assert answer.startswith(expected)
    assert answer.count(b"HTTP/1.1 ") == (1 if expected else 0)


async def test_nobody_is_cut_off_while_an_answer_is_made() -> None:
    echo = Echo()
    async with served(echo, Bounds(look=0.01, head_seconds=0.02, body_seconds=0.02, idle_seconds=0.02)) as port:
        talking = asyncio.create_task(said(port, b"GET /later HTTP/1.1\r\nconnection: close\r\n\r\n"))
        await echo.came.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(talking), 0.2)
        echo.later[0].set_result(make(200, {}, b"late"))
        assert bodies(await talking) == [b"late"]


async def test_answers_are_not_piled_up_for_a_peer_who_does_not_take_them() -> None:
    echo = Echo()
    async with served(echo, Bounds(look=0.01, answer_seconds=0.05)) as port:
        with socket.create_connection(("127.0.0.1", port)) as peer:
            peer.setblocking(False)
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(_ask_without_end(peer), 20)
    assert 0 < len(echo.asked) < 200


async def _ask_without_end(peer: socket.socket) -> None:
    """Read nothing: requests are taken until it is enough, and then the connection ends."""
    while True:
        await asyncio.get_running_loop().sock_sendall(peer, b"GET /large HTTP/1.1\r\n\r\n" * 50)


async def test_too_many_connections_are_told_so() -> None:
    async with served(Echo(), Bounds(connections=1)) as port:
        _, kept = await asyncio.open_connection("127.0.0.1", port)
        assert (await said(port, ONCE)).startswith(b"HTTP/1.1 503 ")
        kept.close()
        await kept.wait_closed()


async def test_what_fails_later_is_explained() -> None:
    echo = Echo()
    async with served(echo) as port:
        talking = asyncio.create_task(said(port, b"GET /later HTTP/1.1\r\n\r\n" + ONCE))
        await echo.came.wait()
        echo.later[0].set_exception(KeyError("private"))
        answer = await talking
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert bodies(answer) == [b"KeyError", b"/now"]


async def test_whoever_ends_their_side_still_gets_the_answer() -> None:
    echo = Echo()
    async with served(echo) as port:
        talking = asyncio.create_task(said(port, b"GET /later HTTP/1.1\r\n\r\n", end=True))
        await echo.came.wait()
        echo.later[0].set_result(make(200, {}, b"here"))
        assert bodies(await talking) == [b"here"]


async def test_stopping_answers_what_is_under_way_and_closes_the_rest() -> None:
    echo = Echo()
    async with served(echo) as port:
        idle = asyncio.create_task(said(port, b"GET /1 HTTP/1.1\r\n\r\n"))
        talking = asyncio.create_task(said(port, b"GET /later HTTP/1.1\r\n\r\n"))
        while not echo.later:
            echo.came.clear()
            await echo.came.wait()
        asyncio.get_running_loop().call_later(0.05, echo.later[0].set_result, make(200, {}, b"last"))
    assert bodies(await talking) == [b"last"]
    assert bodies(await idle) == [b"/1"]


async def test_a_port_is_shared_only_by_those_who_say_so() -> None:
    one, other = Echo(), Echo()
    async with served(one, shared=True) as port, served(other, port=port, shared=True):
        await asyncio.gather(*(said(port, ONCE) for _ in range(64)))
        assert len(one.asked) + len(other.asked) == 64
        assert one.asked
        assert other.asked
        with pytest.raises(ConfigurationError, match="TODOKU_TRACKER_PORT"):
            async with served(Echo(), port=port):
                pass
