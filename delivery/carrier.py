"""Carries one intended message: compose, sign, send, and settle what came of it."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

from core.clock import Clock
from delivery.compose.errors import RenderFailed
from delivery.freight import Session
from delivery.journal import Journal
from delivery.lease import Lease
from delivery.ledger import Ledger, Outcome
from delivery.measures import Measures
from delivery.replies.classify import classify
from delivery.replies.mask import mask
from delivery.replies.reply import Reply
from delivery.replies.verdict import EXPIRED, RELEASED, UNCERTAIN, UNSENDABLE, Reason, Verdict
from delivery.retry import RetrySchedule
from delivery.slices import Message, Slice
from delivery.smtp.errors import NotStarted, Obstacle, OutcomeUnknown, Unsendable
from delivery.smtp.outgoing import Outgoing
from delivery.workload import Workload

SERVICE_NOT_AVAILABLE = 421
TOO_LARGE = Verdict("failed", Reason.MESSAGE_TOO_LARGE)


class Watcher(Protocol):
    """Who wants to know what receivers say."""

    def accepted(self, one: Slice) -> None:
        """Take note of a slice that had a message accepted."""

    def replied(self, message: Message, session: Session, reply: Reply) -> None:
        """Take note of a refusal, temporary or for good."""


class Carrier:
    """`random` returns a float in [0, 1)."""

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
        watcher: Watcher,
    ) -> None:
        self._workload = workload
        self._ledger = ledger
        self._journal = journal
        self._lease = lease
        self._retry = retry
        self._clock = clock
        self._random = random
        self._measures = measures
        self._watcher = watcher

    async def carry(self, message: Message, session: Session) -> None:
        """Send one message on a session; it is settled when its reply comes.

        Raises only for our own faults (a full journal disk).
        """
        one = message.slice
        if one.held or not self._lease.alive():
            self.give_back(message)
            return
        try:
            envelope = one.content.compose(message.recipient, date=self._clock.now())
            await session.connection.send(
                Outgoing(
                    envelope,
                    partial(self._journal.start, message.run_id, message.seq, message.tries),
                    partial(self._done, message, session),
                )
            )
        except Unsendable as error:
            self._settle(message, TOO_LARGE if error.obstacle is Obstacle.TOO_LARGE else UNSENDABLE, None, error.detail)
        except RenderFailed as error:
            self._settle(message, UNSENDABLE, None, error.detail)

    def give_back(self, message: Message) -> None:
        """Take back an intended message that was never begun."""
        self._settle(message, RELEASED, None, None)

    def meet_fate(self, message: Message, fate: Verdict) -> None:
        """Settle an intended message that needs no sending."""
        self._settle(message, fate, None, None)

    def _done(self, message: Message, session: Session, came: Reply | NotStarted | OutcomeUnknown) -> None:
        if isinstance(came, Reply):
            self._replied(message, session, came)
        else:
            self._settle(message, RELEASED if isinstance(came, NotStarted) else UNCERTAIN, None, None)

    def _replied(self, message: Message, session: Session, reply: Reply) -> None:
        verdict = classify(reply)
        if verdict.outcome == "accepted":
            session.answered += 1
            session.outlet.successes += 1
            self._settle(message, verdict, reply.code, None)
            return
        if reply.code == SERVICE_NOT_AVAILABLE and reply.command != "BODY":
            # The session was ended, not the message refused: no attempt was made.
            verdict = RELEASED
        else:
            session.answered += 1
        self._watcher.replied(message, session, reply)
        self._settle(message, verdict, reply.code, mask(reply.text, recipient=message.recipient.address))

    def _settle(self, message: Message, verdict: Verdict, code: int | None, detail: str | None) -> None:
        one, outlet, now = message.slice, message.outlet, self._clock.monotonic()
        wait: float | None = None
        if verdict.outcome == "deferred":
            age = message.since_first + now - message.began
            wait = self._retry.delay(message.deferrals + 1, age=age, jitter=self._random())
            if wait is None:
                verdict = EXPIRED
        elif verdict.outcome == "uncertain" and one.claim.resend_uncertain:
            wait = self._retry.first
        self._journal.outcome(message.run_id, message.seq, message.tries, verdict, code)
        if outlet is None:
            source_id, site_id, source, provider = None, None, "", ""
        else:
            source_id, site_id = outlet.source.source_id, outlet.site_id
            source, provider = outlet.source.name, outlet.label
        one.last_result = self._ledger.add(
            Outcome(message.run_id, message.seq, message.tries, verdict, code, detail, now, source_id, site_id)
        )
        self._measures.settled(verdict, source, provider, now - message.began)
        if outlet is not None:
            outlet.settled(released=verdict.outcome == "released")
            message.outlet = None
        if verdict.outcome == "released":
            self._workload.give_back(message, next_try=True)
            return
        one.attempts += 1
        if wait is not None:
            one.hand_on(message.seq, wait, why="retry", site_id=message.line.site_id if message.line.route else None)
        if verdict.outcome == "accepted":
            self._watcher.accepted(one)
        self._workload.settled(message)
