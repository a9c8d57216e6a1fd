"""Carries one intended message: compose, sign, send, and settle what came of it."""

from collections.abc import Callable
from functools import partial

from core.clock import Clock
from delivery.compose.errors import RenderFailed
from delivery.journal import Journal
from delivery.lease import Lease
from delivery.ledger import Ledger, Outcome
from delivery.measures import Measures
from delivery.replies.classify import classify
from delivery.replies.mask import mask
from delivery.replies.reply import Reply
from delivery.replies.verdict import EXPIRED, RELEASED, UNCERTAIN, UNSENDABLE, Verdict
from delivery.retry import RetrySchedule
from delivery.slices import Message, Slice
from delivery.smtp.connection import Connection
from delivery.smtp.errors import NotStarted, OutcomeUnknown, Unsendable
from delivery.workload import Workload

SERVICE_NOT_AVAILABLE = 421


class Carrier:
    """`on_accepted` is called with each slice that had a message accepted; `random` returns a float in [0, 1)."""

    def __init__(
        self,
        *,
        workload: Workload,
        ledger: Ledger,
        journal: Journal,
        lease: Lease,
        retry: RetrySchedule,
        clock: Clock,
        random: Callable[[], float],
        measures: Measures,
        on_accepted: Callable[[Slice], None],
    ) -> None:
        self._workload = workload
        self._ledger = ledger
        self._journal = journal
        self._lease = lease
        self._retry = retry
        self._clock = clock
        self._random = random
        self._measures = measures
        self._on_accepted = on_accepted

    async def carry(self, message: Message, connection: Connection) -> None:
        """Send one message on `connection` and settle it; raises only for our own faults (a full journal disk)."""
        one = message.slice
        if one.held or not self._lease.alive():
            self.give_back(message)
            return
        self._measures.begun += 1
        try:
            envelope = one.content.compose(message.recipient, date=self._clock.now())
            start = partial(self._journal.start, message.run_id, message.seq, message.tries)
            reply = await connection.send(envelope, on_start=start)
        except (RenderFailed, Unsendable) as error:
            self._settle(message, UNSENDABLE, None, error.detail)
        except NotStarted:
            self._settle(message, RELEASED, None, None)
        except OutcomeUnknown:
            self._settle(message, UNCERTAIN, None, None)
        else:
            self._replied(message, reply)

    def give_back(self, message: Message) -> None:
        """Take back an intended message that was never begun."""
        self._settle(message, RELEASED, None, None)

    def _replied(self, message: Message, reply: Reply) -> None:
        verdict = classify(reply)
        if verdict.outcome == "accepted":
            self._settle(message, verdict, reply.code, None)
            return
        if reply.code == SERVICE_NOT_AVAILABLE and reply.command != "BODY":
            # The session was ended, not the message refused: no attempt was made.
            verdict = RELEASED
        self._settle(message, verdict, reply.code, mask(reply.text, recipient=message.recipient.address))

    def _settle(self, message: Message, verdict: Verdict, code: int | None, detail: str | None) -> None:
        one, now = message.slice, self._clock.monotonic()
        wait: float | None = None
        if verdict.outcome == "deferred":
            age = message.since_first + now - message.began
            wait = self._retry.delay(message.deferrals + 1, age=age, jitter=self._random())
            if wait is None:
                verdict = EXPIRED
        elif verdict.outcome == "uncertain" and one.claim.resend_uncertain:
            wait = self._retry.first
        self._journal.outcome(message.run_id, message.seq, message.tries, verdict, code)
        one.last_result = self._ledger.add(
            Outcome(message.run_id, message.seq, message.tries, verdict, code, detail, now)
        )
        self._measures.settled(verdict, now - message.began)
        if verdict.outcome == "released":
            self._workload.give_back(message, next_try=True)
            return
        one.attempts += 1
        if wait is not None:
            one.hand_on(message.seq, wait)
        if verdict.outcome == "accepted":
            self._on_accepted(one)
        self._workload.settled(message)
