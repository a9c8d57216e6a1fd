"""The process of inbound: listens until it is told to stop."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from core import logs
from core.errors import ConfigurationError
from tracking.inbound.connection import Listener

_BACKLOG = 512
_CLOSING_SECONDS = 2.0


async def serve(
    listener: Listener, *, host: str, port: int, stop: asyncio.Event, on_ready: Callable[[int], None] = lambda _: None
) -> None:
    """Take mail in on `host`:`port` until `stop`; `on_ready` gets the port, which the system chooses for 0.

    Raises ConfigurationError where the port is taken.
    """
    listening = _listening(host, port)
    with contextlib.closing(listening):
        server = await asyncio.get_running_loop().create_server(listener.connection, sock=listening, backlog=_BACKLOG)
        try:
            on_ready(listening.getsockname()[1])
            await stop.wait()
        finally:
            server.close()
            # A mail that has no answer yet is kept by its sender.
            for connection in tuple(listener.connections):
                connection.say_goodbye()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSING_SECONDS):
                    await listener.idle.wait()
    logs.get().info("inbound_closed")


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return what STARTTLS is offered with, None without a certificate. Raises ConfigurationError."""
    if certificate is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"The certificate for inbound can't be read: {type(error).__name__}") from None
    return context


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, so that a taken port is refused before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"Can't listen on {host} port {port}: {error.strerror}") from error
