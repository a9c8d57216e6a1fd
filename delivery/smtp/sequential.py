"""The connection to a peer without PIPELINING: aiosmtplib's own methods, one command at a time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import aiosmtplib

from delivery.envelope import Envelope
from delivery.replies.reply import Reply
from delivery.smtp import cancellation
from delivery.smtp.errors import Failure, NotStarted, OutcomeUnknown
from delivery.smtp.relay import Timeouts
from delivery.smtp.transaction import CLOSING, Offers, OutOfOrder, Step, Transaction, commands, stuffed

# What the kernel and the transport take in at once: a longer body needs time of its own.
_AT_ONCE = 64 * 1024


class SequentialConnection:
    """Four round trips a message; see `connection.Connection` for what the methods promise."""

    def __init__(self, client: aiosmtplib.SMTP, *, offers: Offers, timeouts: Timeouts) -> None:
        self.sent = 0
        self._client = client
        self._offers = offers
        self._timeouts = timeouts
        self._busy = False
        self._started = False
        self._reset_due = False

    @property
    def usable(self) -> bool:
        """Whether a message can be sent now."""
        return not self._busy and self._client.is_connected

    async def send(self, envelope: Envelope, *, on_start: Callable[[], None]) -> Reply:
        """See `connection.Connection.send`."""
        if not self.usable:
            raise NotStarted(Failure.LOST)
        mail, rcpt = commands(envelope, self._offers)
        body = stuffed(envelope.message)
        transaction = Transaction(reset=self._reset_due)
        self._busy = True
        self._started = False
        self.sent += 1
        whole = False
        failure = Failure.PROTOCOL
        try:
            if await self._begin(transaction, mail, rcpt) is Step.WRITE_BODY:
                cancellation.honour()
                on_start()
                await self._write(transaction, body)
            self._reset_due = transaction.open
            whole = True
        except aiosmtplib.SMTPTimeoutError:
            failure = Failure.TIMEOUT
        except aiosmtplib.SMTPServerDisconnected:
            failure = Failure.LOST
        except (aiosmtplib.SMTPResponseException, OutOfOrder):
            failure = Failure.PROTOCOL
        finally:
            self._busy = False
            if not whole:
                self._abort()
        if transaction.result is not None:
            return transaction.result
        # From None: aiosmtplib's exceptions hold what the peer wrote.
        raise (OutcomeUnknown(failure) if self._started else NotStarted(failure)) from None

    async def _begin(self, transaction: Transaction, mail: bytes, rcpt: bytes) -> Step:
        lines = {"RSET": b"RSET", "MAIL": mail, "RCPT": rcpt, "DATA": b"DATA"}
        step = Step.WAIT
        while step is Step.WAIT and transaction.result is None:
            limit = self._timeouts.data if transaction.phase == "DATA" else self._timeouts.envelope
            answer = await self._client.execute_command(lines[transaction.phase], timeout=limit)
            step = _receive(transaction, answer)
        return step

    async def _write(self, transaction: Transaction, body: bytes) -> None:
        protocol = self._client.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("lost")
        self._started = True
        protocol.write(body)
        limit = self._timeouts.final + (self._timeouts.body if len(body) > _AT_ONCE else 0)
        answer = await protocol.read_response(timeout=limit)
        _receive(transaction, answer)
        if answer.code == CLOSING:
            self._client.close()

    async def close(self) -> None:
        """See `connection.Connection.close`."""
        if self.usable:
            self._busy = True
            with suppress(aiosmtplib.SMTPException):
                await self._client.quit(timeout=self._timeouts.quit)
        self._abort()

    def _abort(self) -> None:
        if self._client.transport is not None:
            cast("asyncio.WriteTransport", self._client.transport).abort()
        self._client.close()


def _receive(transaction: Transaction, answer: aiosmtplib.SMTPResponse) -> Step:
    if not 200 <= answer.code <= 599:  # noqa: PLR2004 - RFC 5321's classes; aiosmtplib takes any number
        raise OutOfOrder("no reply code")
    return transaction.receive(answer.code, answer.message.encode("utf-8", "surrogateescape"))
