"""The pipelined connection: our transaction on a transport that aiosmtplib has opened.

One message at a time. What is not a clean reply in its turn aborts the transport, and the message ends as
`NotStarted` or `OutcomeUnknown` according to whether its body had begun; after that the connection is not `usable`.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from delivery.envelope import Envelope
from delivery.replies.reply import Reply
from delivery.smtp.errors import Failure, NotStarted, OutcomeUnknown
from delivery.smtp.parser import MalformedReply, ReplyParser
from delivery.smtp.relay import Timeouts
from delivery.smtp.transaction import CLOSING, END_OF_DATA, Offers, OutOfOrder, Step, Transaction, commands, stuffed


class PipelinedConnection(asyncio.Protocol):
    """Sends MAIL, RCPT and DATA in one write (RFC 2920); see `connection.Connection` for what the methods promise."""

    def __init__(self, transport: asyncio.Transport, *, offers: Offers, timeouts: Timeouts) -> None:
        self.sent = 0
        self._transport = transport
        self._offers = offers
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._parser = ReplyParser()
        self._gone = self._loop.create_future()
        self._quitting = False
        self._reset_due = False
        # The message under way, if any.
        self._waiter: asyncio.Future[Reply] | None = None
        self._transaction = Transaction()
        self._body = b""
        self._on_start: Callable[[], None] | None = None
        self._started = False
        self._paused = False
        # One timer serves all messages: a deadline that moves on costs nothing until the timer fires.
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether a message can be sent now."""
        return self._waiter is None and not self._quitting and not self._transport.is_closing()

    async def send(self, envelope: Envelope, *, on_start: Callable[[], None]) -> Reply:
        """See `connection.Connection.send`."""
        if not self.usable:
            raise NotStarted(Failure.LOST)
        mail, rcpt = commands(envelope, self._offers)
        self._body = stuffed(envelope.message)
        self._on_start = on_start
        self._started = False
        self._transaction = Transaction(reset=self._reset_due)
        waiter: asyncio.Future[Reply] = self._loop.create_future()
        self._waiter = waiter
        self.sent += 1
        reset = b"RSET\r\n" if self._reset_due else b""
        self._allow(self._timeouts.envelope)
        self._transport.write(b"%b%b\r\n%b\r\nDATA\r\n" % (reset, mail, rcpt))
        try:
            return await waiter
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        finally:
            self._waiter = None
            self._body = b""
            self._on_start = None

    async def close(self) -> None:
        """See `connection.Connection.close`."""
        if self.usable:
            self._quitting = True
            self._transport.write(b"QUIT\r\n")
            # A peer that does not say goodbye in time is left without one.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeouts.quit):
                    await asyncio.shield(self._gone)
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Act on each reply that is complete."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            # The reply to QUIT, or one that was not asked for: a server's farewell to an idle client (421), or a
            # fault. The next transaction's replies could not be told from it.
            self._transport.close()
            return
        try:
            replies = self._parser.feed(data)
            for at, (code, text) in enumerate(replies, start=1):
                step = self._transaction.receive(code, text)
                if step is not Step.WAIT:
                    self._act(step, code, ahead=at < len(replies) or self._parser.pending)
                    return
        except (MalformedReply, OutOfOrder):
            self._break(Failure.PROTOCOL)
            return
        if replies and self._transaction.phase == "DATA":
            self._allow(self._timeouts.data)

    def _act(self, step: Step, code: int, *, ahead: bool) -> None:
        """Take the step; `ahead` says that more has come in, which answers nothing that we have sent."""
        if step is Step.DONE:
            self._finish(code)
            if ahead:
                self._transport.abort()
        elif ahead:
            self._break(Failure.PROTOCOL)
        elif step is Step.WRITE_NOTHING:
            self._allow(self._timeouts.final)
            self._transport.write(END_OF_DATA)
        else:
            self._begin_body()

    def _begin_body(self) -> None:
        if self._on_start is not None:
            try:
                self._on_start()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's and goes back to it
                self._settle(error)
                self._transport.abort()
                return
        self._started = True
        self._transport.write(self._body)
        self._allow(self._timeouts.body if self._paused else self._timeouts.final)

    def _finish(self, code: int) -> None:
        reply = self._transaction.result
        if reply is None:
            raise AssertionError("a transaction that is done has a result")
        unwritten = self._transaction.phase == "BODY" and self._transport.get_write_buffer_size() > 0
        if unwritten and reply.code < 400:  # noqa: PLR2004 - RFC 5321's classes
            # Accepted before we had sent it all: then it was not the message that was accepted.
            self._break(Failure.PROTOCOL)
            return
        self._reset_due = self._transaction.open
        self._settle(reply)
        if unwritten:
            self._transport.abort()
        elif code == CLOSING:
            self._transport.close()

    def _break(self, failure: Failure) -> None:
        """End the message without a final reply, and the connection with it."""
        if self._transaction.result is not None and not self._started:
            self._settle(self._transaction.result)
        else:
            self._settle(OutcomeUnknown(failure) if self._started else NotStarted(failure))
        self._transport.abort()

    def _settle(self, outcome: Reply | Exception) -> None:
        if self._waiter is None or self._waiter.done():
            return
        if isinstance(outcome, Exception):
            self._waiter.set_exception(outcome)
        else:
            self._waiter.set_result(outcome)

    def _allow(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expire)
        else:
            self._break(Failure.TIMEOUT)

    def pause_writing(self) -> None:
        """Note that the peer takes the body in slowly: the time for its reply has not begun."""
        self._paused = True
        if self._started:
            self._allow(self._timeouts.body)

    def resume_writing(self) -> None:
        """Start the time for the final reply."""
        self._paused = False
        if self._started:
            self._allow(self._timeouts.final)

    def eof_received(self) -> None:
        """Give up: a peer that has closed its side answers no more."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End the message under way, and let go of the timer."""
        self._break(Failure.LOST)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._gone.done():
            self._gone.set_result(None)
