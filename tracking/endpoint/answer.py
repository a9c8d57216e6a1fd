"""An HTTP answer as bytes, made once and sent as often as it is needed; and who answers."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

from tracking.endpoint.request import Request


@dataclass(frozen=True, slots=True)
class Answer:
    """Status line and headers but Date and Connection, without the empty line behind them; then the body."""

    status: int
    head: bytes
    body: bytes

    def on_the_wire(self, date: bytes, *, bodiless: bool, last: bool) -> bytes:
        """Return its bytes; `date` is a line of its own. `bodiless`: to HEAD (RFC 9110 section 9.3.2)."""
        end = b"connection: close\r\n\r\n" if last else b"\r\n"
        return b"".join((self.head, date, end, b"" if bodiless else self.body))


class Application(Protocol):
    """What requests are handed to."""

    def answer(self, request: Request) -> Answer | asyncio.Future[Answer]:
        """Answer a request, now or later. Raises nothing; what a future raises is explained."""
        ...

    def explain(self, error: BaseException | int, request: Request) -> Answer:
        """Return the answer for what went wrong, an exception or a status."""
        ...


def make(status: int, headers: Mapping[str, str], body: bytes = b"", *, media_type: str = "") -> Answer:
    """Return an answer; header values are ASCII."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    if media_type:
        lines.append(f"content-type: {media_type}")
    if status != HTTPStatus.NO_CONTENT:
        lines.append(f"content-length: {len(body)}")
    return Answer(status, ("\r\n".join(lines) + "\r\n").encode("ascii"), body)
