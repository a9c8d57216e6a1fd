"""Browsers as light as can be, as they share the machine with what they measure: forms over kept connections."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator

BROWSERS = 32

_KIND = "application/x-www-form-urlencoded"

Forms = Iterable[tuple[str, bytes]]
"""Each form with the path that it is sent to."""


async def at_once(port: int, forms: Forms, expected: int, *, sending: Callable[[int], None] = lambda _: None) -> float:
    """Send forms over all connections without a pause; return the seconds until the last is answered.

    `sending` gets the number of each form as it is sent.
    """
    began, waiting = time.monotonic(), iter(enumerate(forms))
    await asyncio.gather(*(_browse(port, waiting, expected, sending) for _ in range(BROWSERS)))
    return time.monotonic() - began


async def one(port: int, path: str, form: bytes, expected: int) -> None:
    """Send a form over a connection of its own."""
    await _browse(port, iter([(0, (path, form))]), expected, lambda _: None)


async def _browse(
    port: int, forms: Iterator[tuple[int, tuple[str, bytes]]], expected: int, sending: Callable[[int], None]
) -> None:
    """Send forms one after another; raise RuntimeError at any other answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number, (path, form) in forms:
        head = f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-type: {_KIND}\r\ncontent-length: {len(form)}\r\n\r\n"
        sending(number)
        writer.write(head.encode() + form)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        if int(answer.split(b" ", 2)[1]) != expected:
            raise RuntimeError("the answer was " + answer[:20].decode())
        length = answer.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length or b"0"))
    writer.close()
    await writer.wait_closed()
