"""Runs the mailbox: SMTP and the page in one event loop, until told to stop."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator

import uvicorn

from core import logs
from core.clock import Clock, SystemClock
from core.errors import ConfigurationError
from deploy.mailbox.app import create_app
from deploy.mailbox.config import MailboxConfig
from deploy.mailbox.receiver import Receiver
from deploy.mailbox.store import MailStore

_BACKLOG = 512
_PAGE_CONNECTIONS = 256
_STOP_SECONDS = 1


def _no_callback(_smtp_port: int, _http_port: int) -> None:
    pass


async def serve(
    config: MailboxConfig,
    stop: asyncio.Event,
    *,
    clock: Clock | None = None,
    on_ready: Callable[[int, int], None] = _no_callback,
) -> None:
    """Receive and show mail until `stop` is set, then end within two seconds.

    `on_ready(smtp_port, http_port)` is called once both listen, with the ports that they got. Raises
    ConfigurationError when a port or the directory is taken.
    """
    with contextlib.ExitStack() as held:
        smtp_socket = held.enter_context(_listening(config.smtp_host, config.smtp_port))
        http_socket = held.enter_context(_listening(config.http_host, config.http_port))
        store = held.enter_context(contextlib.closing(MailStore(config.directory, max_bytes=config.max_bytes)))
        receiver = Receiver(config, store, clock or SystemClock())
        page = _Page(config, store)
        smtp = await asyncio.get_running_loop().create_server(receiver.connection, sock=smtp_socket, backlog=_BACKLOG)
        serving = asyncio.create_task(page.serve([http_socket]))
        try:
            await _until(page.listening, serving)
            ports = smtp_socket.getsockname()[1], http_socket.getsockname()[1]
            logs.get().info("ready", smtp_port=ports[0], http_port=ports[1], messages=store.count)
            on_ready(*ports)
            await _until(stop, serving)
        finally:
            smtp.close()
            for connection in tuple(receiver.connections):
                connection.say_goodbye()
            page.should_exit = True
            await serving


async def _until(event: asyncio.Event, serving: asyncio.Task[None]) -> None:
    """Wait for the event, or raise what ended the page's server before."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if serving.done():
        serving.result()


class _Page(uvicorn.Server):
    """The page's HTTP server; signals are the process's business, not its."""

    def __init__(self, config: MailboxConfig, store: MailStore) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(config, store),
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=_BACKLOG,
                limit_concurrency=_PAGE_CONNECTIONS,
                timeout_graceful_shutdown=_STOP_SECONDS,
            )
        )
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when it listens."""
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address, so that a taken port is refused before anything starts."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError(f"Can't listen on {host} port {port}: {error.strerror}") from error
