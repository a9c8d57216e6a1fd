"""The wire between a process and its Postgres, which a test can cut, mend, or make lose an answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit


class Wire:
    """A TCP relay. `dsn` leads through it."""

    def __init__(self, dsn: str) -> None:
        self._target = urlsplit(dsn)
        self._pairs: set[asyncio.StreamWriter] = set()
        self._whole = True
        self._lost: bytes | None = None
        self.answers_lost = 0
        self.dsn = ""

    def cut(self) -> None:
        """Drop every connection, and each new one at once."""
        self._whole = False
        for writer in self._pairs:
            writer.transport.abort()

    def mend(self) -> None:
        self._whole = True

    def lose_answer_with(self, mark: bytes) -> None:
        """Cut the connection on which the server next says `mark`, instead of passing that on."""
        self._lost = mark

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._whole:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        self._pairs |= {writer, far_writer}
        with suppress(ConnectionError):
            await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer, answers=True))
        for end in (writer, far_writer):
            end.transport.abort()
            self._pairs.discard(end)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False
    ) -> None:
        while piece := await reader.read(1 << 16):
            if answers and self._lost is not None and self._lost in piece:
                self._lost = None
                self.answers_lost += 1
                raise ConnectionAbortedError
            writer.write(piece)
            await writer.drain()
        raise ConnectionAbortedError

    def _through(self, port: int) -> str:
        user, _, _ = self._target.netloc.rpartition("@")
        return urlunsplit(self._target._replace(netloc=f"{user}@127.0.0.1:{port}"))


@asynccontextmanager
async def wire_to(dsn: str) -> AsyncIterator[Wire]:
    wire = Wire(dsn)
    server = await asyncio.start_server(wire.relay, "127.0.0.1", 0)
    wire.dsn = wire._through(server.sockets[0].getsockname()[1])
    try:
        yield wire
    finally:
        server.close()
        wire.cut()
        await server.wait_closed()
