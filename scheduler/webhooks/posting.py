"""One POST to one address: bounded in time and size, TLS by name, no redirect followed, nothing of the answer kept.

The standard clients resolve a name themselves, and may do so twice; here the address is the one that was checked.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress

import httptools

from scheduler.webhooks.destination import Address, Destination

MAX_HEAD = 65_536
CONNECT_SECONDS = 3.0
_READ = 8_192


class NotHttp(Exception):  # noqa: N818 - named by meaning
    """What came back is no answer of HTTP, or its head has no end."""


async def post(
    destination: Destination, address: Address, headers: Mapping[str, str], body: bytes, tls: ssl.SSLContext
) -> int:
    """Return the answer's status. Raises OSError (ssl.SSLError and TimeoutError among them), NotHttp.

    Connecting has CONNECT_SECONDS; how long all of it may take is the caller's to say.
    """
    async with asyncio.timeout(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(
            str(address),
            destination.port,
            ssl=tls if destination.tls else None,
            server_hostname=destination.host if destination.tls else None,
            limit=_READ,
        )
    try:
        writer.write(_head(destination, headers, len(body)) + body)
        await writer.drain()
        return await _status(reader)
    finally:
        # A peer that does not say goodbye is not waited for.
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def _head(destination: Destination, headers: Mapping[str, str], length: int) -> bytes:
    lines = {
        "Host": destination.authority,
        "User-Agent": "todoku",
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Connection": "close",
        **headers,
    }
    text = f"POST {destination.target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{text}\r\n".encode("ascii")


async def _status(reader: asyncio.StreamReader) -> int:
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    answer.parser = parser
    total = 0
    while answer.status is None:
        block = await reader.read(_READ)
        total += len(block)
        if not block or total > MAX_HEAD:
            raise NotHttp
        try:
            parser.feed_data(block)
        except httptools.HttpParserError:
            # After the head nothing matters any more.
            if answer.status is None:
                raise NotHttp from None
    return answer.status


class _Answer:
    """Takes the status as soon as a head is whole; those on the way (1xx, RFC 9110 section 15.2) are passed over."""

    parser: "httptools.HttpResponseParser"
    status: int | None = None

    def on_headers_complete(self) -> None:
        code = self.parser.get_status_code()
        if self.status is None and code >= 200:  # noqa: PLR2004
            self.status = code
