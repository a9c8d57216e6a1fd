"""The connection to a peer without PIPELINING: aiosmtplib's own methods, one command at a time."""

import asyncio
from contextlib import suppress
from typing import cast

import aiosmtplib

from delivery.smtp import cancellation
from delivery.smtp.errors import Failure, NotStarted
from delivery.smtp.outgoing import Outgoing
from delivery.smtp.peer import Timeouts
from delivery.smtp.phases import UNTIMED, Phases
from delivery.smtp.transaction import CLOSING, Offers, OutOfOrder, Step, Transaction, commands, stuffed

# What the kernel and the transport take in at once: a longer body needs time of its own.
_AT_ONCE = 64 * 1024


class SequentialConnection:
    """Four round trips a message, each told of before `send` returns; see `connection.Connection` for the promises."""

    def __init__(
        self,
        client: aiosmtplib.SMTP,
        *,
        offers: Offers,
        timeouts: Timeouts,
        tls: str | None,
        phases: Phases = UNTIMED,
    ) -> None:
        self.sent = 0
        self.tls = tls
        self._client = client
        self._offers = offers
        self._timeouts = timeouts
        self._phases = phases
        self._now = asyncio.get_running_loop().time
        self._busy = False
        self._reset_due = False

    @property
    def usable(self) -> bool:
        """Whether it can take a message now."""
        return not self._busy and self._client.is_connected

    async def send(self, outgoing: Outgoing) -> None:
        """See `connection.Connection.send`."""
        mail, rcpt = commands(outgoing.envelope, self._offers)
        body = stuffed(outgoing.envelope.message)
        if not self.usable:
            outgoing.done(NotStarted(Failure.LOST))
            return
        transaction = Transaction(reset=self._reset_due)
        self._busy = True
        self.sent += 1
        try:
            failure = await self._transact(transaction, mail, rcpt, body, outgoing)
        except asyncio.CancelledError:
            self._abort()
            outgoing.done(transaction.cut_off(Failure.ABORTED))
            raise
        except BaseException:
            self._abort()
            raise
        finally:
            self._busy = False
        if failure is None and transaction.result is not None:
            self._reset_due = transaction.open
            outgoing.done(transaction.result)
        else:
            self._abort()
            outgoing.done(transaction.cut_off(failure or Failure.PROTOCOL))

    async def flush(self) -> None:
        """See `connection.Connection.flush`: nothing is ever held back here."""

    async def close(self) -> None:
        """See `connection.Connection.close`."""
        try:
            if self.usable:
                self._busy = True
                with suppress(aiosmtplib.SMTPException):
                    await self._client.quit(timeout=self._timeouts.quit)
        finally:
            self._abort()

    async def _transact(
        self, transaction: Transaction, mail: bytes, rcpt: bytes, body: bytes, outgoing: Outgoing
    ) -> Failure | None:
        """Carry it through; return what kept the deciding reply away, if anything did."""
        try:
            asked = self._now()
            if await self._begin(transaction, mail, rcpt) is Step.BODY_DUE:
                cancellation.honour()
                outgoing.on_start()
                due = self._now()
                self._phases["envelope"](due - asked)
                await self._write(transaction, body)
                self._phases["message"](self._now() - due)
        except aiosmtplib.SMTPTimeoutError:
            return Failure.TIMEOUT
        except aiosmtplib.SMTPServerDisconnected:
            return Failure.LOST
        except (aiosmtplib.SMTPResponseException, OutOfOrder):
            return Failure.PROTOCOL
        return None

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
        transaction.begun = True
        protocol.write(body)
        limit = self._timeouts.final + (self._timeouts.body if len(body) > _AT_ONCE else 0)
        answer = await protocol.read_response(timeout=limit)
        _receive(transaction, answer)
        if answer.code == CLOSING:
            self._client.close()

    def _abort(self) -> None:
        if self._client.transport is not None:
            cast("asyncio.WriteTransport", self._client.transport).abort()
        self._client.close()


def _receive(transaction: Transaction, answer: aiosmtplib.SMTPResponse) -> Step:
    if not 200 <= answer.code <= 599:  # noqa: PLR2004 - RFC 5321's classes; aiosmtplib takes any number
        raise OutOfOrder("no reply code")
    return transaction.receive(answer.code, answer.message.encode("utf-8", "surrogateescape"))
