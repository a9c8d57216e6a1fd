"""The pipelined connection: our transactions, chained, on a transport that aiosmtplib has opened.

A message's body is held back once its 354 has come, and goes out in one write with the next message's MAIL, RCPT and
DATA (RFC 2920 section 3.1): one write and one read a message. What is not a clean reply in its turn aborts the
transport, and each message under way ends as `NotStarted` or `OutcomeUnknown` by whether its body had begun.
"""

import asyncio
import socket
from contextlib import suppress

from delivery.smtp.errors import Failure, NotStarted
from delivery.smtp.outgoing import Outcome, Outgoing
from delivery.smtp.parser import MalformedReply, ReplyParser
from delivery.smtp.peer import Timeouts
from delivery.smtp.phases import UNTIMED, Phases
from delivery.smtp.transaction import CLOSING, END_OF_DATA, Offers, OutOfOrder, Step, Transaction, commands, stuffed


class _Exchange:
    """A message under way: what is to be written, whom to tell, and how far its replies have come."""

    __slots__ = ("body", "envelope", "outgoing", "transaction")

    def __init__(self, outgoing: Outgoing, offers: Offers, *, reset: bool) -> None:
        mail, rcpt = commands(outgoing.envelope, offers)
        self.body = stuffed(outgoing.envelope.message)
        self.envelope = b"%b%b\r\n%b\r\nDATA\r\n" % (b"RSET\r\n" if reset else b"", mail, rcpt)
        self.outgoing = outgoing
        self.transaction = Transaction(reset=reset)


class PipelinedConnection(asyncio.Protocol):
    """One write and one read a message; see `connection.Connection` for what the methods promise."""

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        offers: Offers,
        timeouts: Timeouts,
        tls: str | None,
        phases: Phases = UNTIMED,
    ) -> None:
        self.sent = 0
        self.tls = tls
        self._transport = transport
        self._socket: socket.socket = transport.get_extra_info("socket")
        self._offers = offers
        self._timeouts = timeouts
        self._envelope_taken, self._message_taken = phases["envelope"], phases["message"]
        self._envelope_since = self._body_since = 0.0
        self._loop = asyncio.get_running_loop()
        self._parser = ReplyParser()
        self._gone = self._loop.create_future()
        self._over = False
        self._fault: Exception | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._reset_due = False
        # A message moves from `_envelope`, whose replies are awaited, to `_held`, whose body is due, to `_body`, whose
        # final reply is awaited. Replies are for `_body`, if there is one, and then for `_envelope`.
        self._envelope: _Exchange | None = None
        self._held: _Exchange | None = None
        self._body: _Exchange | None = None
        # Octets that were written behind the body.
        self._behind = 0
        self._paused = False
        # One timer serves all messages: a deadline that moves on costs nothing until the timer fires.
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def usable(self) -> bool:
        """Whether it can take a message now."""
        return self._waiter is None and not self._over and not self._transport.is_closing()

    async def send(self, outgoing: Outgoing) -> None:
        """See `connection.Connection.send`."""
        exchange = _Exchange(outgoing, self._offers, reset=self._reset_due)
        if not self.usable:
            outgoing.done(NotStarted(Failure.LOST))
            self._raise_fault()
            return
        self.sent += 1
        self._reset_due = False
        self._write(exchange)
        await self._answers()

    async def flush(self) -> None:
        """See `connection.Connection.flush`."""
        if self._held is not None:
            if self.usable:
                self._write(None)
            else:
                self._end(Failure.LOST)
        await self._answers()

    async def close(self) -> None:
        """See `connection.Connection.close`."""
        try:
            if self.usable and self._held is None:
                self._over = True
                self._transport.write(b"QUIT\r\n")
                # A peer that does not say goodbye in time is left without one.
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._timeouts.quit):
                        await asyncio.shield(self._gone)
        finally:
            self._end(Failure.ABORTED)
        self._raise_fault()

    def _write(self, follower: _Exchange | None) -> None:
        """Write the held body, if there is one, and the follower's envelope behind it."""
        begun, self._held = self._held, None
        self._envelope = follower
        envelope = b"" if follower is None else follower.envelope
        if begun is None:
            self._transport.write(envelope)
            self._envelope_since = self._allow(self._timeouts.envelope)
            return
        try:
            begun.outgoing.on_start()
        except BaseException:
            self._end(Failure.ABORTED)
            raise
        begun.transaction.begun = True
        self._body = begun
        self._behind = len(envelope)
        # One write, so that it is one segment and one TLS record where it fits; `writelines` is no faster.
        self._transport.write(begun.body + envelope)
        self._body_since = self._allow(self._timeouts.body if self._paused else self._timeouts.final)

    async def _answers(self) -> None:
        """Wait until no reply is awaited; raises what a caller's `done` has raised."""
        if self._body is not None or self._envelope is not None:
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            except asyncio.CancelledError:
                self._end(Failure.ABORTED)
                raise
            finally:
                self._waiter = None
        self._raise_fault()

    def data_received(self, data: bytes) -> None:
        """Act on each reply that is complete."""
        try:
            for code, text in self._parser.feed(data):
                self._receive(code, text)
            if self._body is None and self._envelope is None:
                if self._parser.pending:
                    # More than was asked for.
                    self._end(Failure.PROTOCOL)
                self._wake()
            else:
                # A server that sends reply by reply under Nagle's algorithm waits for this acknowledgement, which the
                # kernel may put off for 40 ms: 23 messages a second, or thousands.
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except (MalformedReply, OutOfOrder):
            self._end(Failure.PROTOCOL)

    def _receive(self, code: int, text: bytes) -> None:
        exchange = self._body or self._envelope
        if exchange is None:
            # The reply to QUIT, or one that was not asked for: a server's farewell to an idle client, or a fault. The
            # next message's replies could not be told from it.
            self._end(Failure.LOST if code == CLOSING else Failure.PROTOCOL)
            return
        step = exchange.transaction.receive(code, text)
        if step is Step.WAIT:
            if exchange.transaction.phase == "DATA":
                self._allow(self._timeouts.data)
        elif step is Step.DONE:
            self._finish(exchange, closing=code == CLOSING)
        else:
            self._envelope = None
            if step is Step.BODY_DUE:
                self._held = exchange
                self._envelope_taken(self._loop.time() - self._envelope_since)
            else:
                self._body = exchange
                self._behind = 0
                self._transport.write(END_OF_DATA)
                self._allow(self._timeouts.final)

    def _finish(self, exchange: _Exchange, *, closing: bool) -> None:
        result = exchange.transaction.result
        if result is None:
            raise AssertionError("a transaction that is done has a result")
        unwritten = exchange is self._body and self._transport.get_write_buffer_size() > self._behind
        if unwritten and result.code < 400:  # noqa: PLR2004 - RFC 5321's classes
            # Accepted before we had sent it all: then it was not the message that was accepted.
            raise OutOfOrder("a body was accepted that has not been sent")
        if exchange is self._body:
            self._body = None
            # The follower's replies have waited for this one.
            self._envelope_since = self._allow(self._timeouts.envelope)
            self._message_taken(self._envelope_since - self._body_since)
        else:
            self._envelope = None
            self._reset_due = exchange.transaction.open
        self._tell(exchange, result)
        if unwritten or closing:
            self._end(Failure.LOST)

    def _end(self, failure: Failure) -> None:
        """End the connection; what is under way on it comes to what it can."""
        self._over = True
        under_way = (self._body, self._held, self._envelope)
        self._body = self._held = self._envelope = None
        for exchange in under_way:
            if exchange is not None:
                self._tell(exchange, exchange.transaction.cut_off(failure))
        self._transport.abort()
        self._wake()

    def _tell(self, exchange: _Exchange, outcome: Outcome) -> None:
        try:
            exchange.outgoing.done(outcome)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's and goes back to it
            self._fault = self._fault or error
            self._end(Failure.ABORTED)

    def _raise_fault(self) -> None:
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _allow(self, seconds: float) -> float:
        """Give the peer so long from now; return the time."""
        now = self._loop.time()
        self._deadline = now + seconds
        if self._timer is None or self._timer.when() > self._deadline:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._expire)
        return now

    def _expire(self) -> None:
        self._timer = None
        if self._body is None and self._envelope is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._expire)
        else:
            self._end(Failure.TIMEOUT)

    def pause_writing(self) -> None:
        """Note, while a body is being written, that the time for its reply has not begun."""
        self._paused = True

    def resume_writing(self) -> None:
        """Start the time for the final reply."""
        self._paused = False
        if self._body is not None:
            self._allow(self._timeouts.final)

    def eof_received(self) -> None:
        """Give up: a peer that has closed its side answers no more."""
        self._end(Failure.LOST)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End what is under way, and let go of the timer."""
        self._end(Failure.LOST)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._gone.done():
            self._gone.set_result(None)
