"""One relay and this worker's connections to it: each takes the next intended message and carries it.

Failure model. A relay that can't be reached costs no message an attempt: the source waits, longer each time, what it
was given is handed back, and the dispatcher asks no leave for it until a connection stands again.
"""

import asyncio
from collections.abc import Awaitable, Callable

from prometheus_client import Counter, Gauge

from core import logs
from delivery.slices import Message
from delivery.smtp.connection import Connection, connect
from delivery.smtp.errors import ConnectFailed, Failure
from delivery.smtp.relay import Relay, Timeouts

IDLE_SECONDS = 60.0
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0

log = logs.get()

_connections = Gauge("todoku_connections", "SMTP connections open now.", ["source"])
_failures = Counter("todoku_connect_failures_total", "Connections that could not be opened.", ["source", "failure"])

Carry = Callable[[Message, Connection], Awaitable[None]]


class Source:
    """Up to `relay.connections` sessions, opened when there is work and closed when idle for a minute.

    `carry` sends one message on a connection and settles it, never raising for what a peer does; `give_back` takes
    back one that was not begun; `random` returns a float in [0, 1).
    """

    def __init__(
        self,
        relay: Relay,
        *,
        name: str,
        ehlo_name: str,
        timeouts: Timeouts,
        carry: Carry,
        give_back: Callable[[Message], None],
        random: Callable[[], float],
    ) -> None:
        self.relay = relay
        self.intended: asyncio.Queue[Message] = asyncio.Queue()
        self.live = 0
        self.turn = 0.0
        self._ehlo_name = ehlo_name
        self._timeouts = timeouts
        self._carry = carry
        self._give_back = give_back
        self._random = random
        self._wanted = asyncio.Event()
        self._failed_in_a_row = 0
        self._gauge = _connections.labels(name)
        self._name = name

    def want(self, wanted: bool) -> None:
        """Say whether there is work, so that connections are opened before messages are asked leave for."""
        if wanted:
            self._wanted.set()
        else:
            self._wanted.clear()

    @property
    def failing(self) -> bool:
        """Whether no connection stands and the last try to open one failed."""
        return self.live == 0 and self._failed_in_a_row > 0

    def drain(self) -> None:
        """Hand back every message that waits for a connection."""
        while not self.intended.empty():
            self._give_back(self.intended.get_nowait())

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self.relay.connections):
                group.create_task(self._serve())

    async def _serve(self) -> None:
        while True:
            await self._wanted.wait()
            try:
                connection = await connect(self.relay, ehlo_name=self._ehlo_name, timeouts=self._timeouts)
            except ConnectFailed as error:
                await self._pause(error)
                continue
            self.live += 1
            self._gauge.inc()
            try:
                cut_off = await self._use(connection)
            finally:
                self.live -= 1
                self._gauge.dec()
                if self.live == 0:
                    self.drain()
                await connection.close()
            if cut_off:
                await self._pause(ConnectFailed(Failure.LOST))

    async def _use(self, connection: Connection) -> bool:
        """Carry messages until the connection's end; True if it ended without having carried one whole.

        A relay that greets us and then turns every message away would otherwise be asked again without a pause.
        """
        carried = 0
        while connection.usable and connection.sent < self.relay.messages_per_connection:
            try:
                message = self.intended.get_nowait()
            except asyncio.QueueEmpty:
                try:
                    async with asyncio.timeout(IDLE_SECONDS):
                        message = await self.intended.get()
                except TimeoutError:
                    return False
                if not connection.usable:
                    # It was closed while we waited: another connection takes the message.
                    self.intended.put_nowait(message)
                    return False
            await self._carry(message, connection)
            if connection.usable:
                carried += 1
                self._failed_in_a_row = 0
        return carried == 0

    async def _pause(self, error: ConnectFailed) -> None:
        self._failed_in_a_row += 1
        if self.live == 0:
            self.drain()
        _failures.labels(self._name, error.failure.value).inc()
        pause = min(FIRST_PAUSE * 2.0 ** min(self._failed_in_a_row - 1, 16), LONGEST_PAUSE)
        if self._failed_in_a_row == 1:
            log.warning("source_unreachable", source=self._name, failure=error.failure.value)
        await asyncio.sleep(pause * (0.5 + self._random() / 2))
