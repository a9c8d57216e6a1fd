"""A receiver that counts: who is connected at once, and when each message arrived. One a loopback address.

Speaks just enough SMTP (PIPELINING, SIZE, 8BITMIME). `answer` may refuse, defer or hang up, by recipient.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HANG_UP = b""
"""An answer that is no answer: the connection is cut."""


@dataclass
class CountingSink:
    host: str
    port: int
    answer: Callable[[str], bytes | None] = lambda _recipient: None
    greeting: bytes = b"220 sink"
    arrivals: list[float] = field(default_factory=list)
    """Monotonic seconds at which each message was accepted."""
    received: Counter[str] = field(default_factory=Counter)
    connected: int = 0
    most_connected: int = 0
    connections: int = 0
    most_in_one: int = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        self.connections += 1
        self.most_connected = max(self.most_connected, self.connected)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._converse(reader, writer)
        finally:
            self.connected -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting + b"\r\n")
        if not self.greeting.startswith(b"2"):
            await writer.drain()
            return
        recipient, accepted = "", 0
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(
                    b"250-sink\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"
                )
            elif verb == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                refusal = self.answer(recipient)
                if refusal == HANG_UP:
                    return
                writer.write((refusal or b"250 2.1.5 ok") + b"\r\n")
                recipient = recipient if refusal is None else ""
            elif verb == b"DATA":
                if not recipient:
                    writer.write(b"554 5.5.1 no valid recipients\r\n")
                    continue
                writer.write(b"354 go on\r\n")
                await writer.drain()
                await reader.readuntil(b"\r\n.\r\n")
                self.arrivals.append(time.monotonic())
                self.received[recipient] += 1
                accepted += 1
                self.most_in_one = max(self.most_in_one, accepted)
                recipient = ""
                writer.write(b"250 2.0.0 ok\r\n")
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                return
            else:
                writer.write(b"250 ok\r\n")

    def most_within(self, seconds: float) -> int:
        """The most messages that arrived within any `seconds`."""
        most, first = 0, 0
        for last, at in enumerate(self.arrivals):
            while at - self.arrivals[first] >= seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


@asynccontextmanager
async def counting_sink(host: str = "127.0.0.1", port: int = 0, **how: object) -> AsyncIterator[CountingSink]:
    sink = CountingSink(host, port, **how)  # type: ignore[arg-type]
    server = await asyncio.start_server(sink._serve, host, port, limit=1_000_000)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
