"""A tap on the wire between a process and its Postgres: passes everything on, and keeps a copy of each direction.

A file a connection and direction, so that what was cut into several packets lies together again.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from deploy.dsns import Dsns
from deploy.ports import LOOPBACK

_READ = 1 << 16


class Tap:
    """A TCP relay to the server of a DSN, which writes all that passes below `directory`. `dsn` leads through it."""

    def __init__(self, dsn: str, directory: Path) -> None:
        self._target = urlsplit(dsn)
        self._directory = directory
        self._connections = 0
        self._open: set[asyncio.StreamWriter] = set()
        self.dsn = ""

    async def relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        number = self._connections = self._connections + 1
        far_reader, far_writer = await asyncio.open_connection(self._target.hostname, self._target.port)
        ends = {writer, far_writer}
        self._open |= ends
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, far_writer, f"{number:04}-asked"))
                both.create_task(self._pass_on(far_reader, writer, f"{number:04}-answered"))
        except* ConnectionError:
            pass
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: str) -> None:
        with (self._directory / name).open("ab") as tape:
            while piece := await reader.read(_READ):
                tape.write(piece)
                writer.write(piece)
                await writer.drain()
        # Either side's end is the end of both.
        raise ConnectionAbortedError

    def lead_through(self, port: int) -> None:
        """Have `dsn` lead to this relay's own port."""
        user, _, _ = self._target.netloc.rpartition("@")
        self.dsn = urlunsplit(self._target._replace(netloc=f"{user}@{LOOPBACK}:{port}"))

    def cut(self) -> None:
        """Drop every connection."""
        for end in self._open:
            end.transport.abort()


@asynccontextmanager
async def tapped(dsns: Dsns, directory: Path) -> AsyncIterator[Dsns]:
    """Lead each DSN through a tap for the block; what passes lies below `directory`, by the name of the DSN."""
    through = {}
    async with AsyncExitStack() as stack:
        for name, dsn in asdict(dsns).items():
            place = directory / name
            place.mkdir(parents=True)
            tap = Tap(dsn, place)
            server = await asyncio.start_server(tap.relay, LOOPBACK, 0)
            stack.push_async_callback(_close, server, tap)
            tap.lead_through(server.sockets[0].getsockname()[1])
            through[name] = tap.dsn
        yield Dsns(**through)


async def _close(server: asyncio.Server, tap: Tap) -> None:
    server.close()
    tap.cut()
    with suppress(TimeoutError):
        async with asyncio.timeout(2):
            await server.wait_closed()
