"""A receiver that misbehaves by chance, and keeps a ledger of what it has taken in.

Of each thousand messages it defers some, says 421 to some, and hangs up before DATA, in the middle of a body, after the
final dot, falls silent there, or closes its side only. What it has taken in whole is in `received`, whether it said so
or not; `broken` counts the bodies whose sender can't know.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from random import Random

USUAL: Mapping[str, int] = {
    "defer": 50,
    "421": 15,
    "hang_up": 10,
    "half_close": 5,
    "drop_in_data": 4,
    "drop_after_dot": 3,
    "stall": 2,
}
"""Of a thousand messages."""
_HELLO = b"250-sink\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n"


class _Gone(Exception):  # noqa: N818
    """The connection is to end."""


@dataclass
class MisbehavingSink:
    chance: Random
    per_thousand: Mapping[str, int] = field(default_factory=lambda: dict(USUAL))
    port: int = 0
    received: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> int:
        """Bodies that were begun and never answered."""
        return sum(self.faults[kind] for kind in ("drop_in_data", "drop_after_dot", "stall"))

    def behave(self) -> None:
        """Misbehave no more."""
        self.per_thousand = {}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, _Gone):
            await self._converse(reader, writer)
        writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        recipient, fault = "", ""
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(_HELLO)
            elif verb == b"RCPT":
                recipient, fault = line.decode().partition("<")[2].partition(">")[0], self._fault()
                recipient = await self._answer_recipient(recipient, fault, reader, writer)
            elif verb == b"DATA" and not recipient:
                writer.write(b"554 5.5.1 no valid recipients\r\n")
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await self._take(recipient, fault, reader)
                writer.write(b"250 2.0.0 taken\r\n")
                recipient = ""
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                return
            else:
                writer.write(b"250 ok\r\n")

    async def _answer_recipient(
        self, recipient: str, fault: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> str:
        """Return the recipient if it was taken."""
        if fault == "defer":
            writer.write(b"451 4.3.0 not now\r\n")
            return ""
        if fault == "421":
            writer.write(b"421 4.3.2 closing\r\n")
            await writer.drain()
            raise _Gone
        if fault == "hang_up":
            raise _Gone
        if fault == "half_close":
            writer.write_eof()
            await reader.read()
            raise _Gone
        writer.write(b"250 2.1.5 ok\r\n")
        return recipient

    async def _take(self, recipient: str, fault: str, reader: asyncio.StreamReader) -> None:
        if fault == "drop_in_data":
            await reader.readexactly(100)
            raise _Gone
        await reader.readuntil(b"\r\n.\r\n")
        if fault == "stall":
            # Nothing is kept, and nothing said until the sender gives up.
            await reader.read()
            raise _Gone
        self.received[recipient] += 1
        if fault == "drop_after_dot":
            raise _Gone

    def _fault(self) -> str:
        drawn = self.chance.randrange(1_000)
        for kind, odds in self.per_thousand.items():
            drawn -= odds
            if drawn < 0:
                self.faults[kind] += 1
                return kind
        return ""


@asynccontextmanager
async def misbehaving_sink(seed: int) -> AsyncIterator[MisbehavingSink]:
    sink = MisbehavingSink(Random(seed))
    server = await asyncio.start_server(sink._serve, "127.0.0.1", 0, limit=1_000_000)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
