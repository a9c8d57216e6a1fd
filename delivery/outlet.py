"""One source at work for one site: the connections that its permits allow, and the messages given to them.

A relay's outlet serves every line over connections that are all alike. A direct one serves the lines of its site, each
connection bound to one line, since a connection to one set of MX hosts can't take the mail of another.

Failure model. Whatever goes wrong before a body is begun costs no attempt: messages given to a connection that is lost
go back to their lines. What is known of failures goes to the site's budget (`successes`, `failures`), to the source
(set aside) or to the line (its messages are put off), each by whose fault it is.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from prometheus_client import Counter, Gauge

from core import logs
from core.clock import Clock
from delivery.freight import Freight, Session
from delivery.lines import RELAYED, Line
from delivery.pacing.turns import Turns
from delivery.shaping import Limits
from delivery.slices import Message
from delivery.smtp.errors import ConnectFailed, Failure
from delivery.source import Source

WINDOW_SECONDS = 0.25
"""How far ahead of the wire leave is asked: what a crash can leave open, and what a pause has to wait for."""
LARGEST_WINDOW = 2_000
LOOK_SECONDS = 0.5
"""How soon an idle connection notices that it is not wanted any more."""

log = logs.get()

_connections = Gauge("todoku_connections", "SMTP connections open now.", ["source", "provider"])
_failures = Counter(
    "todoku_connect_failures_total", "Connections that could not be opened.", ["source", "provider", "failure"]
)


class Outlet:
    """One (source, site). `slots` holds the permits in use, each with its connection's task."""

    def __init__(
        self,
        source: Source,
        *,
        site_id: int,
        provider: str | None,
        limits: Limits,
        freight: Freight,
        clock: Clock,
        random: Callable[[], float],
        start: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        self.source = source
        self.site_id = site_id
        self.provider = provider
        self.limits = limits
        self.under_way = 0
        self.begun = 0
        self.successes = 0
        self.failures = 0
        self.rate = 0.0
        """Messages a second, as seen of late."""
        self.turns: Turns | None = None
        self.slots: dict[int, asyncio.Task[None]] = {}
        self.allowed: frozenset[int] = frozenset()
        self.open: set[int] = set()
        """Slots with a connection that stands, is being opened or is being closed."""
        self.asked = False
        self.wanting = 0
        """Connections that were last asked for."""
        self.suspended = False
        self.last_busy = clock.monotonic()
        self.wanted = asyncio.Event()
        self._live: dict[Line | None, int] = {}
        self._queues: dict[Line | None, asyncio.Queue[Message]] = {}
        self._freight = freight
        self._clock = clock
        self._random = random
        self._start = start
        self.label = provider or ("relay" if site_id == RELAYED else "other")
        """What metrics call the receiver."""
        self._gauge = _connections.labels(source.name, self.label)
        self._failed = {one: _failures.labels(source.name, self.label, one.value) for one in Failure}

    @property
    def relays(self) -> bool:
        """Whether it takes mail for every destination."""
        return self.site_id == RELAYED

    @property
    def live(self) -> int:
        """Connections that stand."""
        return sum(self._live.values())

    def live_in(self, line: Line | None) -> int:
        """Return how many connections stand for a line."""
        return self._live.get(None if self.relays else line, 0)

    @property
    def failing(self) -> bool:
        """Whether no connection stands and the last try to open one failed."""
        return self.live == 0 and self.source.failed_in_a_row > 0

    def allow(self, slots: frozenset[int]) -> None:
        """Use exactly these permits: open more connections, or let those above end after their message."""
        self.allowed = slots
        for slot in slots - self.slots.keys():
            self.slots[slot] = self._start(self._serve(slot))

    def close(self) -> None:
        """End its connections, whatever they do."""
        for task in self.slots.values():
            task.cancel()

    # --- what it is given ---

    def room(self, line: Line) -> int:
        """How many more messages of a line may be asked leave for now."""
        now = self._clock.monotonic()
        live = self.live_in(line)
        if live == 0 or self.suspended or not self.source.able(now):
            return 0
        if self.turns is not None:
            room = self.turns.due(now, WINDOW_SECONDS) - self.under_way
        else:
            window = int(min(max(3 * live, self.rate * WINDOW_SECONDS), LARGEST_WINDOW))
            room = window - self.under_way
            if room * 2 < window:
                # In halves, so that batches are big.
                return 0
        allowance = self.source.allowance
        return max(0, room if allowance is None else min(room, allowance.left))

    def put(self, message: Message, line: Line) -> bool:
        """Give it a message whose intent is committed; False if no connection is left that would take it."""
        if self.live_in(line) == 0:
            return False
        self._queue(line).put_nowait(message)
        return True

    def taken(self, count: int) -> None:
        """Count messages that leave is asked for on its behalf."""
        self.under_way += count
        if self.source.allowance is not None:
            self.source.allowance.left -= count

    def settled(self, *, released: bool) -> None:
        """Count one of them that is settled; a released one used up nothing."""
        self.under_way -= 1
        if released and self.source.allowance is not None:
            self.source.allowance.left += 1

    def drain(self) -> None:
        """Hand back every message that waits for a connection."""
        for queue in self._queues.values():
            _give_back(queue, self._freight)

    def _queue(self, line: Line | None) -> asyncio.Queue[Message]:
        key = None if self.relays else line
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = asyncio.Queue()
        return queue

    # --- connections ---

    async def _serve(self, slot: int) -> None:
        """Hold connections one after another as long as the slot is ours and there is work."""
        try:
            while slot in self.allowed:
                line = self._freight.next_line(self)
                if line is None or self.suspended or not self.source.able(self._clock.monotonic()):
                    await self._look_again()
                    continue
                await self._connect(slot, line)
        finally:
            del self.slots[slot]
            if slot in self.allowed:
                self.allowed -= {slot}

    async def _look_again(self) -> None:
        self.wanted.clear()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self.wanted.wait()
        except TimeoutError:
            return

    async def _connect(self, slot: int, line: Line) -> None:
        bound = None if self.relays else line
        self.open.add(slot)
        try:
            session = Session(self, await self.source.open(bound, self.limits), bound)
            await self._hold(session, slot, line)
        except ConnectFailed as error:
            self.open.discard(slot)
            await self._unconnected(line, error)
        finally:
            self.open.discard(slot)

    async def _hold(self, session: Session, slot: int, line: Line) -> None:
        """Use a connection to its end; ConnectFailed if it greets us and then turns every message away."""
        bound, connection = session.line, session.connection
        self._live[bound] = self._live.get(bound, 0) + 1
        self._gauge.inc()
        line.failures = 0
        try:
            await self._use(session, slot)
        finally:
            self._gauge.dec()
            self._live[bound] -= 1
            if self._live[bound] == 0:
                del self._live[bound]
                _give_back(self._queues.pop(bound, None), self._freight)
            await connection.close()
        if session.answered:
            self.source.well()
        elif connection.sent:
            # Without a pause it would be asked for ever.
            raise ConnectFailed(Failure.LOST)

    async def _use(self, session: Session, slot: int) -> None:
        connection = session.connection
        queue = self._queue(session.line)
        while connection.usable and connection.sent < self.limits.messages_per_connection and slot in self.allowed:
            message = await self._next(session, queue, slot)
            if message is None:
                break
            if self.turns is not None and not await self._turn(session, slot):
                self._freight.give_back(message)
                break
            self.begun += 1
            await self._freight.carry(message, session)
        await connection.flush()

    async def _next(self, session: Session, queue: asyncio.Queue[Message], slot: int) -> Message | None:
        """Return the next message; None once the connection is not wanted any more."""
        try:
            return queue.get_nowait()
        except asyncio.QueueEmpty:
            await session.connection.flush()
        waited = 0.0
        while session.connection.usable and slot in self.allowed and waited < self.limits.idle:
            if session.line is not None and waited > 0 and self._freight.next_line(self) not in (None, session.line):
                # Others of this site wait, and all our connections are bound elsewhere.
                return None
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    message = await queue.get()
            except TimeoutError:
                waited += LOOK_SECONDS
                continue
            if session.connection.usable:
                return message
            # It was closed while we waited: another connection takes the message.
            queue.put_nowait(message)
        return None

    async def _turn(self, session: Session, slot: int) -> bool:
        """Wait for the slot's turn at a site with a rate; False if the turn will not come."""
        await session.connection.flush()
        while self.turns is not None and slot in self.allowed and session.connection.usable and not self.suspended:
            now = self._clock.monotonic()
            wait = self.turns.next_at(slot, now) - now
            if wait <= 0 and self.turns.take(slot, now):
                return True
            await asyncio.sleep(min(max(wait, 0.001), LOOK_SECONDS))
        return self.turns is None

    async def _unconnected(self, line: Line, error: ConnectFailed) -> None:
        """Lay a connection that could not be had at the right door."""
        self._failed[error.failure].inc()
        now = self._clock.monotonic()
        if self.relays or error.failure is Failure.LOCAL:
            if self.source.failed_in_a_row == 0:
                log.warning("source_unreachable", source=self.source.name, failure=error.failure.value)
            pause = self.source.set_aside(now, jitter=self._random())
            if self.live == 0:
                self.drain()
        else:
            self.failures += 1
            pause = 0.2 + self._random()
            if self.live_in(line) == 0:
                _give_back(self._queues.pop(line, None), self._freight)
                self._freight.unreachable(self, line)
        if error.reply is not None:
            self._freight.refused(self, error.reply)
        await asyncio.sleep(pause)


def _give_back(queue: asyncio.Queue[Message] | None, freight: Freight) -> None:
    while queue is not None and not queue.empty():
        freight.give_back(queue.get_nowait())
