"""Serves an ASGI application over HTTP until it is told to stop, with bounds on everything."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import uvicorn

from core.errors import ConfigurationError

_CONNECTIONS = 1_000
_BACKLOG = 1_024
_KEEP_ALIVE_SECONDS = 30
_LAST_ANSWERS_SECONDS = 5


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the process."""
        yield


async def serve(
    app: Any,
    *,
    host: str,
    port: int,
    setting: str,
    stop: asyncio.Event,
    on_ready: Callable[[], None],
    http: type[asyncio.Protocol] | Literal["httptools"] = "httptools",
) -> None:
    """Serve `app` (ASGI) until `stop`, then give requests under way 5 s to end.

    `setting` names the port in the ConfigurationError for one that can't be had; `http` speaks the protocol.
    """
    listener = _listen(host, port, setting)
    server = _Server(
        uvicorn.Config(
            app,
            http=http,
            ws="none",
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
            backlog=_BACKLOG,
        )
    )
    serving = asyncio.create_task(server.serve([listener]), name="http")
    waits = [asyncio.create_task(server.listening.wait()), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait({serving, waits[0]}, return_when=asyncio.FIRST_COMPLETED)
        if server.listening.is_set():
            on_ready()
        await asyncio.wait({serving, waits[1]}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        for wait in waits:
            wait.cancel()
        listener.close()


def _listen(host: str, port: int, setting: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"Can't listen on {host} port {port} ({setting}): {error.strerror}") from error
