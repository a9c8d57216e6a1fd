"""Which waiting message goes to which outlet: asks leave for what can be sent at once, hands it out, takes it back.

Leave (an intent) is asked only for messages that hold a connection and, at a site with a rate, a turn: what is intended
is sent within a quarter of a second, so that a pause, a stop or a crash finds little that is between the two.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from core import logs
from core.database import with_retry
from delivery.carrier import Carrier
from delivery.destinations import Destinations
from delivery.freight import Session
from delivery.lease import Lease
from delivery.ledger import Ledger, Refusal
from delivery.lines import Line
from delivery.measures import Measures
from delivery.opening import Opened
from delivery.outlet import Outlet
from delivery.outlets import Outlets
from delivery.queue import Claim, Queue, Successor
from delivery.reactions import Reactions
from delivery.replies.reply import Reply
from delivery.replies.verdict import Verdict
from delivery.retry import RetrySchedule
from delivery.slices import Message, Slice
from delivery.workload import Workload

FATED_AT_ONCE = 500

log = logs.get()


class Assignment:
    """One per dispatcher. `outlets` is set before `run`; `random` returns a float in [0, 1)."""

    outlets: Outlets

    def __init__(
        self,
        *,
        workload: Workload,
        queue: Queue,
        destinations: Destinations,
        ledger: Ledger,
        lease: Lease,
        carrier: Carrier,
        measures: Measures,
        reactions: Reactions,
        retry: RetrySchedule,
        random: Callable[[], float],
        start: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.work = asyncio.Event()
        """Set when there may be something to assign."""
        self.sought = 0
        """Messages whose route is being looked for."""
        self._workload = workload
        self._queue = queue
        self._destinations = destinations
        self._ledger = ledger
        self._lease = lease
        self._carrier = carrier
        self._measures = measures
        self._reactions = reactions
        self._retry = retry
        self._random = random
        self._start = start

    async def run(self) -> None:
        """Assign until cancelled."""
        load = self._workload
        while True:
            await self.work.wait()
            self.work.clear()
            if load.waiting:
                self.outlets.wake(self.in_hand)
            if load.stopping or not self._lease.alive():
                continue
            messages = self._choose()
            if not messages:
                continue
            with self._measures.intend_seconds.time():
                refused = await self._ledger.intend(messages)
            for position, message in enumerate(messages):
                self._after_intent(message, refused.get(position))

    def take_in(self, opened: Opened) -> None:
        """Take in a chunk that was opened; messages whose route is not known yet follow when it is found."""
        self._workload.add(opened.slice)
        self._hand_on(opened.slice)
        self.sought += opened.slice.sought
        for domain, messages in opened.sought.items():
            self._start(self._seek(opened.slice, domain, opened.tags[domain], messages))
        self.work.set()

    async def _seek(self, one: Slice, domain: str, tag: int, messages: Sequence[Message]) -> None:
        """Find a domain's route and let its messages wait there, or put them off while DNS does not say."""
        where = await with_retry(lambda: self._destinations.find(one.claim.account_id, domain), what="find_route")
        line = where
        if where is None:
            for message in messages:
                delay = self._retry.first * (1 + self._random() / 5)
                one.hand_on(message.seq, delay, why="dns", held=one.claim.held_for or 0.0)
        elif isinstance(where, Verdict):
            line = self._destinations.fated
            for message in messages:
                message.fate = where
        self.sought -= len(messages)
        self._workload.found(one, messages, line if isinstance(line, Line) else None)
        self.work.set()
        if isinstance(where, Line):
            await self._destinations.remember(tag, where.site_id)

    def in_hand(self, site_id: int) -> int:
        """Return how many messages wait here for a site."""
        return sum(line.waiting for line in self._destinations.at_site(site_id))

    # --- choosing ---

    def _choose(self) -> list[Message]:
        chosen: list[Message] = []
        for line in list(self._workload.active):
            if line is self._destinations.fated:
                chosen += self._workload.take(line, FATED_AT_ONCE)
                continue
            outlets = self.outlets.serving(line)
            if len(outlets) == 1:
                chosen += self._give(outlets[0], line, outlets[0].room(line))
            else:
                chosen += self._share_out(outlets, line)
        return chosen

    def _share_out(self, outlets: Sequence[Outlet], line: Line) -> list[Message]:
        """Give to those that have room in smooth weighted turns: by weight, and nobody waits for one that is full."""
        rooms = {outlet: room for outlet in outlets if (room := outlet.room(line)) > 0}
        shares = dict.fromkeys(rooms, 0)
        for _ in range(min(line.waiting, sum(rooms.values()))):
            for outlet in rooms:
                outlet.source.turn += outlet.source.weight
            best = max(rooms, key=lambda outlet: outlet.source.turn)
            best.source.turn -= sum(outlet.source.weight for outlet in rooms)
            shares[best] += 1
            if shares[best] == rooms[best]:
                del rooms[best]
        return [message for outlet, share in shares.items() for message in self._give(outlet, line, share)]

    def _give(self, outlet: Outlet, line: Line, room: int) -> list[Message]:
        if room <= 0:
            return []
        messages = self._workload.take(line, room)
        outlet.taken(len(messages))
        for message in messages:
            message.outlet = outlet
        return messages

    def _after_intent(self, message: Message, refusal: Refusal | None) -> None:
        outlet = message.outlet
        if refusal is None:
            # The intent is committed: from here on it must get a result.
            if message.fate is not None:
                self._carrier.meet_fate(message, message.fate)
            elif outlet is None or self._workload.stopping or not outlet.put(message, message.line):
                self._carrier.give_back(message)
            return
        if outlet is not None:
            outlet.settled(released=True)
            message.outlet = None
        if refusal == "stopped":
            self._measures.stopped.inc()
            self._workload.settled(message)
            return
        if refusal == "held":
            message.slice.held = True
        else:
            log.error("intent_refused", why=refusal)
            self._lease.lost.set()
        self._workload.give_back(message, next_try=False)

    # --- what outlets ask for ---

    async def carry(self, message: Message, session: Session) -> None:
        """Carry one message, then look whether leave can be asked for more."""
        await self._carrier.carry(message, session)
        if message.line.waiting and session.outlet.room(message.line) > 0:
            self.work.set()

    def give_back(self, message: Message) -> None:
        """Take back an intended message that was not begun."""
        self._carrier.give_back(message)

    def next_line(self, outlet: Outlet) -> Line | None:
        """Return the line with the most messages for each connection that it has, of those that an outlet serves."""
        lines = self._workload.active if outlet.relays else self._destinations.at_site(outlet.site_id)
        waiting = [line for line in lines if line.waiting and line is not self._destinations.fated]
        return max(waiting, key=lambda line: line.waiting / (1 + outlet.live_in(line)), default=None)

    def refused(self, outlet: Outlet, reply: Reply) -> None:
        """Look whether the rules have something to say about a connection that was refused."""
        self._react(outlet, reply, None)

    def unreachable(self, outlet: Outlet, line: Line) -> None:
        """Put off what waits in a line none of whose hosts can be reached, longer each time."""
        if any(other.live_in(line) for other in self.outlets.serving(line)):
            return
        line.failures += 1
        delay = self._retry.delay(line.failures, age=0.0, jitter=self._random()) or self._retry.cap
        put_off = self._workload.shed(line, lambda message: self._snooze(message, delay))
        log.info("destination_unreachable", source=outlet.source.name, site_id=outlet.site_id, put_off=put_off)

    def shed(self) -> None:
        """Hand on what is in hand beyond what its site takes in now."""
        for line in list(self._workload.active):
            if line.route is None:
                continue
            excess = self.in_hand(line.site_id) - self.outlets.takes(line.site_id)
            if excess > 0:
                self._workload.shed(line, lambda message: self._snooze(message, 0.0), keep=line.waiting - excess)
        for one in list(self._workload.slices.values()):
            self._hand_on(one)

    def _hand_on(self, one: Slice) -> None:
        """Hand on at once what need not wait for the slice's end."""
        busy = one.waiting or one.under_way or one.sought
        if busy and not one.splitting and any(later.delay <= 0 for later in one.later):
            one.splitting = True
            claim = one.claim
            self._start(self._split(one, claim, *one.split()))

    async def _split(self, one: Slice, claim: Claim, stay: Sequence[int], successors: Sequence[Successor]) -> None:
        if not await with_retry(lambda: self._queue.split(claim, stay, successors), what="split_chunk"):
            log.error("chunk_lost", chunk_id=claim.chunk_id)
            self._lease.lost.set()
        one.splitting = False
        self._workload.look_over(one)

    def replied(self, message: Message, session: Session, reply: Reply) -> None:
        """Look whether the rules have something to say about a refusal."""
        self._react(session.outlet, reply, message)

    def _react(self, outlet: Outlet, reply: Reply, message: Message | None) -> None:
        rules = self._reactions.called_for(outlet, reply)
        if rules:
            run_id = None if message is None else message.run_id
            self._start(self._reactions.react(rules, outlet, run_id, self.outlets.changed))

    def _snooze(self, message: Message, delay: float) -> None:
        """Hand a message on to a chunk of its site; it keeps its place in time and loses no attempt."""
        one = message.slice
        one.hand_on(message.seq, delay, why="site", site_id=message.line.site_id, held=one.claim.held_for or 0.0)
