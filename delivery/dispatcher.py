"""The dispatcher of one worker: claims chunks, has their messages assigned and carried, ends them.

Failure model. Any exception that is not a peer's doing ends the process; its journal says what was under way, and
whoever finds the journal resolves it (`delivery.recovery`). A lost lease ends the process likewise. A run that is
pausing or cancelling is noticed at the next intent or within `WATCH_SECONDS`: what was not begun is handed back.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any
from uuid import UUID

from core import logs
from core.clock import Clock
from core.database import AWAY, with_retry
from core.errors import Superseded, TodokuError
from delivery.assignment import Assignment
from delivery.carrier import Carrier
from delivery.claiming import OPENED_AT_ONCE, Claiming
from delivery.destinations import Destinations
from delivery.freight import Session
from delivery.journal import Journal
from delivery.lease import Lease
from delivery.ledger import Ledger
from delivery.lines import RELAYED
from delivery.measures import Measures
from delivery.opening import Contents, Members, Opening
from delivery.outlets import Outlets
from delivery.pacing.permits import Permits
from delivery.queue import Queue
from delivery.reactions import Reactions
from delivery.replies.reply import Reply
from delivery.retry import RetrySchedule
from delivery.shaping import Shaping
from delivery.slices import Message, Slice
from delivery.source import Source
from delivery.workload import Workload

WATCH_SECONDS = 0.1
READY_SECONDS = 30.0
"""How long before their time runs' contents are compiled."""
READY_TOGETHER = 4
"""Of these, how many side by side: beside busy connections each waits for its round trips."""

log = logs.get()


class Dispatcher:
    """One per worker process. `random` returns a float in [0, 1)."""

    def __init__(
        self,
        *,
        queue: Queue,
        ledger: Ledger,
        journal: Journal,
        lease: Lease,
        members: Members,
        contents: Contents,
        destinations: Destinations,
        sources: Sequence[Source],
        shaping: Shaping,
        permits: Permits,
        reactions: Reactions,
        retry: RetrySchedule,
        clock: Clock,
        random: Callable[[], float],
        slice_seconds: float,
    ) -> None:
        self._queue = queue
        self._contents = contents
        self._ledger = ledger
        self._lease = lease
        self._retry = retry
        self._clock = clock
        self._random = random
        self._emptied = asyncio.Event()
        self._noted: set[UUID] = set()
        self._measures = Measures()
        self._group: asyncio.TaskGroup | None = None
        self._workload = Workload(now=clock.monotonic, on_over=self._over)
        carrier = Carrier(
            workload=self._workload,
            ledger=ledger,
            journal=journal,
            lease=lease,
            retry=retry,
            clock=clock,
            random=random,
            measures=self._measures,
            watcher=self,
        )
        self._assignment = Assignment(
            workload=self._workload,
            queue=queue,
            destinations=destinations,
            ledger=ledger,
            lease=lease,
            carrier=carrier,
            measures=self._measures,
            reactions=reactions,
            retry=retry,
            random=random,
            start=self._start,
        )
        self._outlets = self._assignment.outlets = Outlets(
            sources=sources,
            shaping=shaping,
            permits=permits,
            freight=self._assignment,
            clock=clock,
            random=random,
            slice_seconds=slice_seconds,
            start=self._start,
        )
        self._claiming = Claiming(
            queue=queue,
            opening=Opening(
                queue=queue,
                ledger=ledger,
                members=members,
                contents=contents,
                destinations=destinations,
                retry=retry,
                clock=clock,
                random=random,
                slice_seconds=slice_seconds,
                takes=self._outlets.takes,
                in_hand=self._assignment.in_hand,
            ),
            workload=self._workload,
            assignment=self._assignment,
            outlets=self._outlets,
            ledger=ledger,
            lease=lease,
            measures=self._measures,
            retry=retry,
            random=random,
            # Where messages are sorted by the room at their sites every opening takes of it, so one at a time.
            opened_at_once=1 if destinations.sorts else OPENED_AT_ONCE,
            start=self._start,
            on_opened=self._look_empty,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`, then hand everything back; raises Superseded if the lease is lost."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            writing = group.create_task(self._ledger.run())
            loops = [
                group.create_task(loop)
                for loop in (
                    self._claiming.run(),
                    self._claiming.watch_sites(),
                    self._assignment.run(),
                    self._watch_loop(),
                    self._ready_loop(),
                    self._outlets.run(self._wanted, self._assignment.shed),
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
            self._outlets.close()
        await with_retry(self._outlets.release, what="release")
        if self._lease.lost.is_set():
            raise Superseded

    async def _hand_back(self) -> None:
        self._workload.stop()
        for outlet in self._outlets.all:
            outlet.drain()
        self._look_empty()
        await self._emptied.wait()

    # --- watching ---

    async def _watch_loop(self) -> None:
        """Notice runs that are held and slices out of time."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._workload.slices:
                try:
                    self._workload.hold(await self._queue.held_runs(self._workload.runs))
                except AWAY as error:
                    log.warning("watch_failed", error=type(error).__name__)
            self._assignment.work.set()

    async def _ready_loop(self) -> None:
        """Have the content of runs compiled before their time: a hundred at one instant would take seconds."""
        while True:
            await asyncio.sleep(0.5 + self._random())
            try:
                due = await self._queue.due_soon(READY_SECONDS)
                for first in range(0, len(due), READY_TOGETHER):
                    together = due[first : first + READY_TOGETHER]
                    await asyncio.gather(*map(self._contents.of, together))
            except AWAY as error:
                log.warning("watch_failed", error=type(error).__name__)
            except TodokuError as error:
                # Nothing is lost yet: it is tried again, and waited for, when its first chunk is opened.
                log.warning("not_made_ready", error=type(error).__name__)

    def _wanted(self, site_id: int) -> int:
        """Return how many messages ask for connections to a site; 0 stands for the relays, which take any."""
        if site_id == RELAYED:
            return self._workload.waiting or len(self._claiming.waiting_sites)
        return self._assignment.in_hand(site_id) or self._claiming.waits_for(site_id)

    # --- what comes of it ---

    def replied(self, message: Message, session: Session, reply: Reply) -> None:
        """Pass a refusal on to whoever judges it."""
        self._assignment.replied(message, session, reply)

    def accepted(self, one: Slice) -> None:
        """Note the first acceptance of a run."""
        run_id, at = one.claim.run_id, self._clock.monotonic()
        if run_id in self._noted:
            return
        self._noted.add(run_id)

        async def note() -> None:
            await with_retry(lambda: self._queue.note_first(run_id, self._clock.monotonic() - at), what="note_first")

        self._start(note())

    def _over(self, one: Slice) -> None:
        self._start(self._end(one))

    async def _end(self, one: Slice) -> None:
        # Results first: a chunk that is done must have nothing open, whenever we die.
        await self._ledger.written(one.last_result)
        successors = one.successors(delay_rest=self._outlets.rest)
        if not await with_retry(lambda: self._queue.end(one.claim, successors, one.attempts), what="end_chunk"):
            log.error("chunk_lost", chunk_id=one.claim.chunk_id)
            self._lease.lost.set()
        self._workload.remove(one)
        self._look_empty()

    def _look_empty(self) -> None:
        if self._workload.stopping and not self._workload.slices and not self._claiming.opened:
            self._emptied.set()

    def _start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        # In the group, so that what fails here ends the process as any other fault does.
        if self._group is None:
            raise RuntimeError("the dispatcher does not run")
        return self._group.create_task(work)
