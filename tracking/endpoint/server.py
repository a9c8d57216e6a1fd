"""Serves the tracker's app over HTTP until it is told to stop."""

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn
from starlette.types import ASGIApp

from tracking.endpoint.hosts import KnownHosts
from tracking.endpoint.protocol import BoundedProtocol

_MAX_CONNECTIONS = 8_000
_LAST_ANSWERS_SECONDS = 5


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Say when connections are taken."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process that wires everything."""
        yield


async def serve(
    app: ASGIApp,
    *,
    hosts: Collection[str] = (),
    host: str,
    port: int,
    stop: asyncio.Event,
    on_ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until `stop`, then answer what is under way. `on_ready` gets the port, which the system chooses for 0.

    `hosts`: the names to answer under; any, if there are none.
    """
    config = uvicorn.Config(
        KnownHosts(app, hosts) if hosts else app,
        host=host,
        port=port,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
        backlog=4_096,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(), name="tracker http")
    listening = asyncio.create_task(server.listening.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            on_ready(server.servers[0].sockets[0].getsockname()[1])
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        listening.cancel()
        stopping.cancel()
