"""Serves the tracker over HTTP until it is told to stop."""

import asyncio
from collections.abc import Callable
from email.utils import formatdate

from core.clock import Clock
from core.errors import ConfigurationError
from tracking.endpoint.answer import Application
from tracking.endpoint.connection import Bounds, Connections

_BACKLOG = 4_096
_LAST_ANSWERS_SECONDS = 5.0


async def serve(
    application: Application,
    *,
    host: str,
    port: int,
    stop: asyncio.Event,
    clock: Clock,
    shared: bool = False,
    bounds: Bounds | None = None,
    on_ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve until `stop`, then answer what is under way. `on_ready` gets the port, which the system chooses for 0.

    `shared`: other processes of this user may listen on the port too; the kernel spreads connections over them all.
    Raises ConfigurationError if the port can't be had.
    """
    loop = asyncio.get_running_loop()
    connections = Connections(application, bounds or Bounds(), loop)
    _date(connections, clock)
    try:
        server = await loop.create_server(
            connections.accept, host, port, backlog=_BACKLOG, reuse_port=shared or None, start_serving=True
        )
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"Can't listen on {host} port {port} (TODOKU_TRACKER_PORT): {reason}") from error
    looking = asyncio.create_task(_look(connections, clock), name="tracker connections")
    try:
        on_ready(server.sockets[0].getsockname()[1])
        await stop.wait()
        server.close()
        await connections.finish(_LAST_ANSWERS_SECONDS)
    finally:
        server.close()
        looking.cancel()


async def _look(connections: Connections, clock: Clock) -> None:
    while True:
        await asyncio.sleep(connections.bounds.look)
        _date(connections, clock)
        connections.end_late()


def _date(connections: Connections, clock: Clock) -> None:
    connections.date = f"date: {formatdate(clock.now().timestamp(), usegmt=True)}\r\n".encode("ascii")
