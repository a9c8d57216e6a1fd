"""The dispatcher of one worker: claims chunks, asks leave to send, and spreads messages over the sources' connections.

Failure model. Any exception that is not a peer's doing ends the process; its journal says what was under way, and
whoever finds the journal resolves it (`delivery.recovery`). A lost lease ends the process likewise. A run that is
pausing or cancelling is noticed at the next intent or within `WATCH_SECONDS`: what was not begun is handed back.
"""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from uuid import UUID

from core import logs
from core.clock import Clock
from core.database import AWAY, with_retry
from core.errors import Superseded
from delivery.carrier import Carrier
from delivery.journal import Journal
from delivery.lease import Lease
from delivery.ledger import Ledger, Refusal
from delivery.measures import Measures
from delivery.opening import Opening
from delivery.queue import Queue
from delivery.retry import RetrySchedule
from delivery.slices import Message, Slice
from delivery.smtp.connection import Connection
from delivery.source import Source
from delivery.workload import Workload

IDLE_SECONDS = 0.1
WATCH_SECONDS = 0.1
CLAIM_BELOW = 1_000
"""Waiting messages below which another chunk is claimed: enough to bridge the reading of the next thousand."""
BACKLOG_LIMIT = 10_000
WINDOW_SECONDS = 0.25
"""How far ahead of the wire leave is asked: what a crash can leave open, and what a pause has to wait for."""
LARGEST_WINDOW = 2_000

log = logs.get()


class Dispatcher:
    """One per worker process. `random` returns a float in [0, 1); `sources` is filled before `run`."""

    def __init__(
        self,
        *,
        queue: Queue,
        ledger: Ledger,
        journal: Journal,
        lease: Lease,
        opening: Opening,
        retry: RetrySchedule,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self.sources: list[Source] = []
        self._queue = queue
        self._ledger = ledger
        self._lease = lease
        self._opening = opening
        self._clock = clock
        self._random = random
        self._work = asyncio.Event()
        self._emptied = asyncio.Event()
        self._noted: set[UUID] = set()
        self._measures = Measures()
        self._rate = 0.0
        self._group: asyncio.TaskGroup | None = None
        self._workload = Workload(now=clock.monotonic, on_over=lambda one: self._in_background(self._end(one)))
        self.carrier = Carrier(
            workload=self._workload,
            ledger=ledger,
            journal=journal,
            lease=lease,
            retry=retry,
            clock=clock,
            random=random,
            measures=self._measures,
            on_accepted=self._note_first,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, then hand everything back; raises Superseded if the lease is lost."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            writing = group.create_task(self._ledger.run())
            loops = [
                group.create_task(loop)
                for loop in (
                    self._claim_loop(),
                    self._intend_loop(),
                    self._watch_loop(),
                    *(source.run() for source in self.sources),
                )
            ]
            waits = [asyncio.create_task(stop.wait()), asyncio.create_task(self._lease.lost.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await self._hand_back()
            for loop in loops:
                loop.cancel()
            self._ledger.close()
            await writing
        if self._lease.lost.is_set():
            raise Superseded

    async def _hand_back(self) -> None:
        self._workload.stop()
        for source in self.sources:
            source.drain()
        self._look_empty()
        await self._emptied.wait()

    # --- claims ---

    async def _claim_loop(self) -> None:
        stray = False
        while not self._workload.stopping:
            if not self._wants_more():
                await asyncio.sleep(IDLE_SECONDS / 4)
                continue
            try:
                if stray:
                    await self._queue.give_back_strays(list(self._workload.slices))
                    stray = False
                claim = await self._queue.claim()
            except AWAY as error:
                # Its answer may be lost, not the claim: what we do not know of is given back first.
                stray = True
                log.warning("claim_failed", error=type(error).__name__)
                await asyncio.sleep(0.5)
                continue
            if claim is None:
                await asyncio.sleep(IDLE_SECONDS * (0.5 + self._random()))
            else:
                self._measures.claimed.inc()
                opened = await with_retry(partial(self._opening.open, claim), what="open_chunk")
                if opened is not None:
                    self._workload.add(opened)
                    self._work.set()

    def _wants_more(self) -> bool:
        load = self._workload
        if not self._lease.alive() or load.waiting >= CLAIM_BELOW or self._ledger.backlog > BACKLOG_LIMIT:
            return False
        return not load.slices or not all(source.failing for source in self.sources)

    # --- intents ---

    async def _intend_loop(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            load = self._workload
            for source in self.sources:
                source.want(load.waiting > 0 or not source.intended.empty())
            room = self._room()
            if load.stopping or room <= 0 or not self._lease.alive():
                continue
            messages = load.take(room)
            if not messages:
                continue
            with self._measures.intend_seconds.time():
                refused = await self._ledger.intend(messages)
            for position, message in enumerate(messages):
                self._after_intent(message, refused.get(position))

    def _room(self) -> int:
        """How many more may be asked leave for: a quarter second's worth, in halves, so that batches are big."""
        live = sum(source.live for source in self.sources)
        if live == 0:
            return 0
        window = int(min(max(2 * live, self._rate * WINDOW_SECONDS), LARGEST_WINDOW))
        room = window - self._workload.under_way
        return room if room * 2 >= window else 0

    def _after_intent(self, message: Message, refusal: Refusal | None) -> None:
        if refusal is None:
            # The intent is committed: from here on it must get a result.
            if self._workload.stopping:
                self.carrier.give_back(message)
            else:
                self._next_source().intended.put_nowait(message)
        elif refusal == "stopped":
            self._measures.stopped.inc()
            self._workload.settled(message)
        else:
            if refusal == "held":
                message.slice.held = True
            else:
                log.error("intent_refused", why=refusal)
                self._lease.lost.set()
            self._workload.give_back(message, next_try=False)

    def _next_source(self) -> Source:
        """Smooth weighted turns among the sources that have a connection."""
        usable = [source for source in self.sources if source.live] or self.sources
        for source in usable:
            source.turn += source.relay.weight
        chosen = max(usable, key=lambda source: source.turn)
        chosen.turn -= sum(source.relay.weight for source in usable)
        return chosen

    async def carry(self, message: Message, connection: Connection) -> None:
        """Carry one message, then look whether leave can be asked for more."""
        await self.carrier.carry(message, connection)
        if self._room() > 0:
            self._work.set()

    # --- watching ---

    async def _watch_loop(self) -> None:
        """Notice runs that are held, slices out of time, and how fast we are."""
        begun, since = 0, self._clock.monotonic()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = self._clock.monotonic()
            self._rate = (self._rate + (self._measures.begun - begun) / max(now - since, 0.001)) / 2
            begun, since = self._measures.begun, now
            if self._workload.slices:
                try:
                    self._workload.hold(await self._queue.held_runs(self._workload.runs))
                except AWAY as error:
                    log.warning("watch_failed", error=type(error).__name__)
            self._work.set()

    # --- the end of a slice ---

    async def _end(self, one: Slice) -> None:
        # Results first: a chunk that is done must have nothing open, whenever we die.
        await self._ledger.written(one.last_result)
        pause = 2.0 if all(source.failing for source in self.sources) else 0.0
        successors = one.successors(delay_rest=pause)
        if not await with_retry(lambda: self._queue.end(one.claim, successors, one.attempts), what="end_chunk"):
            log.error("chunk_lost", chunk_id=one.claim.chunk_id)
            self._lease.lost.set()
        self._workload.remove(one)
        self._look_empty()

    def _look_empty(self) -> None:
        if self._workload.stopping and not self._workload.slices:
            self._emptied.set()

    def _note_first(self, one: Slice) -> None:
        run_id, at = one.claim.run_id, self._clock.monotonic()
        if run_id in self._noted:
            return
        self._noted.add(run_id)

        async def note() -> None:
            await with_retry(lambda: self._queue.note_first(run_id, self._clock.monotonic() - at), what="note_first")

        self._in_background(note())

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        # In the group, so that what fails here ends the process as any other fault does.
        if self._group is not None:
            self._group.create_task(work)
