"""A connection of a reader: HTTP/1.1 read by httptools, requests answered one by one, everything bounded.

A general server spends several times as long on a request as reading and answering it takes (docs/performance.md), most
of it for what no route here needs: tasks, streams, a scope, headers put together anew.

What a peer may not do: send a head of more than `Bounds.head` bytes and a read (431) or a body of more than
`Bounds.body` (413); take longer than it is given for a body (408), or for a head, to take an answer, to ask again (cut
off). Requests that were sent before the last one was answered wait, and meanwhile nothing is read.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal
from urllib.parse import unquote, urlsplit

import httptools

from tracking.endpoint import answers
from tracking.endpoint.answer import Answer, Application
from tracking.endpoint.request import Request

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bytes and seconds that a peer gets, and how many peers there may be. What is late is seen every `look` s."""

    connections: int = 8_000
    head: int = 16_384
    headers: int = 100
    body: int = 4_096
    head_seconds: float = 10.0
    body_seconds: float = 10.0
    answer_seconds: float = 30.0
    idle_seconds: float = 75.0
    linger_seconds: float = 2.0
    look: float = 1.0


class Connections:
    """The open connections of a server, and the date for their answers."""

    def __init__(self, application: Application, bounds: Bounds, loop: asyncio.AbstractEventLoop) -> None:
        self.application = application
        self.bounds = bounds
        self.now: Callable[[], float] = loop.time
        self.date = b""
        self.open: set[Connection] = set()
        self._none_open = asyncio.Event()

    def accept(self) -> "Connection":
        """Return the protocol for a new connection."""
        return Connection(self)

    def end_late(self) -> None:
        """End connections whose time is over."""
        now = self.now()
        for one in [one for one in self.open if one.due < now]:
            one.end_late()

    def forget(self, one: "Connection") -> None:
        """Take out a connection that has ended."""
        self.open.discard(one)
        if not self.open:
            self._none_open.set()

    async def finish(self, seconds: float) -> None:
        """Close whoever waits for nothing, the others behind their answers, and after so many seconds everyone."""
        self._none_open.clear()
        for one in list(self.open):
            one.finish()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                if self.open:
                    await self._none_open.wait()
        for one in list(self.open):
            one.abort()


class Connection(asyncio.Protocol):
    """One connection. `due` is when its peer must have done what it is to do next, by the loop's clock."""

    def __init__(self, connections: Connections) -> None:
        self._all = connections
        self._bounds = bounds = connections.bounds
        self._seconds_for = {"nothing": bounds.idle_seconds, "head": bounds.head_seconds, "body": bounds.body_seconds}
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport
        self.due = math.inf
        self._reading: Literal["nothing", "head", "body"] = "nothing"
        self._head_bytes = 0
        """Of the head that is being read, but for the piece in which it began; -1 while that piece is read."""
        self._body_bytes = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._waiting: deque[tuple[Request, int]] = deque()
        """Requests to be answered in turn, each with the status by which it is refused, or 0."""
        self._answering: Request | None = None
        self._closing = False
        """Whether nothing more is read: what was asked is answered, then the connection ends."""
        self._stalled = False
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or turn it away where there are too many."""
        self._transport = transport  # type: ignore[assignment] # of TCP: both ways
        full = len(self._all.open) >= self._bounds.connections
        self._all.open.add(self)
        if full:
            self._send_refusal(answers.BUSY)
        else:
            self.due = self._all.now() + self._bounds.head_seconds

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's name
        """Forget it. An event under way is kept all the same."""
        self._closing = True
        self._waiting.clear()
        self._all.forget(self)

    def data_received(self, data: bytes) -> None:
        """Read on, and answer what is whole."""
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._closing = True  # HTTP/1.1 is all there is: what follows is something else
        except httptools.HttpParserError:
            self._refuse(HTTPStatus.BAD_REQUEST)
        if self._reading == "head":
            if self._head_bytes < 0:
                self._head_bytes = 0
                self.due = self._all.now() + self._bounds.head_seconds
            else:
                self._head_bytes += len(data)
                if self._head_bytes > self._bounds.head:
                    self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        self._answer_next()
        if self._waiting and not self._paused and not self._closing:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Let the answers that were asked for still go out."""
        self._closing = True
        return self._answering is not None

    def pause_writing(self) -> None:
        """Note that the peer does not take what it asked for."""
        self._stalled = True
        self.due = self._all.now() + self._bounds.answer_seconds

    def resume_writing(self) -> None:
        """Go on."""
        self._stalled = False
        self._wait_for_peer()
        self._answer_next()

    # The parser calls these.

    def on_message_begin(self) -> None:
        """Start a request."""
        self._reading, self._head_bytes, self._body_bytes = "head", -1, 0
        self._url, self._headers = b"", []

    def on_url(self, url: bytes) -> None:
        """Add a piece of its target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """End its head; ask for its body if the peer waits to be asked (RFC 9110 section 10.1.1)."""
        self._reading = "body"
        if len(self._headers) > self._bounds.headers:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        elif self._parser.get_method() == b"POST":
            self.due = self._all.now() + self._bounds.body_seconds
            if not (self._waiting or self._answering) and self._request().header(b"expect").lower() == b"100-continue":
                self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Count what matters to no route."""
        self._body_bytes += len(body)
        if self._body_bytes > self._bounds.body:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)

    def on_message_complete(self) -> None:
        """Put the request with those to be answered."""
        if self._closing:
            return
        self._reading = "nothing"
        self._waiting.append((self._request(), 0))
        self._closing = not self._parser.should_keep_alive()

    # The server calls these.

    def abort(self) -> None:
        """Cut it off."""
        self._transport.abort()

    def finish(self) -> None:
        """Read nothing more; close behind the last answer."""
        self._closing = True
        if self._answering is None and not self._waiting:
            self._close()

    def end_late(self) -> None:
        """Answer for a body that did not come; cut everyone else off."""
        if self._reading == "body" and not self._stalled and not self._closing:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)
            self._answer_next()
        else:
            self._transport.abort()

    # Ours.

    def _request(self) -> Request:
        path = self._url.partition(b"?")[0].decode("latin-1")
        if not path.startswith("/"):
            path = urlsplit(path).path
        return Request(self._parser.get_method().decode(), unquote(path) if "%" in path else path, self._headers)

    def _refuse(self, status: int) -> None:
        """Answer the request that is being read by `status`, and read nothing more."""
        if not self._closing:
            self._closing = True
            self._reading = "nothing"
            self._waiting.append((Request("GET", "", self._headers), status))

    def _answer_next(self) -> None:
        while self._waiting and self._answering is None and not self._stalled:
            request, status = self._waiting.popleft()
            if status:
                self._send_refusal(self._all.application.explain(status, request))
                return
            answer = self._all.application.answer(request)
            if isinstance(answer, Answer):
                self._send(answer, bodiless=request.method == "HEAD", last=self._closing and not self._waiting)
            else:
                self._answering = request
                self.due = math.inf
                answer.add_done_callback(self._answer_made)
        if self._paused and not self._waiting and not self._closing:
            self._paused = False
            self._transport.resume_reading()

    def _answer_made(self, made: asyncio.Future[Answer]) -> None:
        request, self._answering = self._answering, None
        if made.cancelled():
            self._transport.abort()
        if request is None or self._transport.is_closing():
            return
        error = made.exception()
        answer = made.result() if error is None else self._all.application.explain(error, request)
        self._send(answer, bodiless=request.method == "HEAD", last=self._closing and not self._waiting)
        if self._waiting:
            self._answer_next()

    def _send(self, answer: Answer, *, bodiless: bool = False, last: bool = False) -> None:
        self._transport.write(answer.on_the_wire(self._all.date, bodiless=bodiless, last=last))
        if last:
            self._close()
        elif not self._stalled:
            self._wait_for_peer()

    def _send_refusal(self, answer: Answer) -> None:
        """Answer a peer that may still be sending, and let it: one whose sending fails may never read the answer."""
        self._closing = True
        self.due = self._all.now() + self._bounds.linger_seconds
        self._transport.write(answer.on_the_wire(self._all.date, bodiless=False, last=True))
        self._transport.write_eof()

    def _wait_for_peer(self) -> None:
        self.due = self._all.now() + self._seconds_for[self._reading]

    def _close(self) -> None:
        self._closing = True
        self.due = self._all.now() + self._bounds.answer_seconds
        self._transport.close()
