"""The SMTP side: takes everything in, and fails where an address asks it to.

A mail is answered 250 once the store has written it. Bounded in connections, recipients, size and time.
"""

import asyncio
import logging
import re
import socket
from collections import OrderedDict, defaultdict

from aiosmtpd.smtp import MISSING, SMTP, Envelope, Session

from core import logs
from core.clock import Clock
from core.errors import TodokuError
from deploy.mailbox import meters
from deploy.mailbox.config import MailboxConfig
from deploy.mailbox.faults import FaultKind, MailFault, parse_fault
from deploy.mailbox.store import MailStore
from tracking.inbound.dot_stuffing import read_message

# aiosmtpd logs addresses from INFO on, and at WARNING any unknown command's word, which could be one.
logging.getLogger("mail.log").setLevel(logging.ERROR)

_HOSTNAME = "mailbox.localhost"
_COUNTED_ADDRESSES = 100_000
_SHUTTING_DOWN = b"421 4.3.2 The mailbox is shutting down\r\n"
_TOO_MANY = b"421 4.3.2 Too many connections\r\n"
_CLOSE_AFTER = 421

# An ordinary `<local@domain>` and its parameters; aiosmtpd's own parser takes 48 µs for one.
_PLAIN_PATH = re.compile(r"<([^\s<>()\[\]\\\",:;@]+@[^\s<>()\[\]\\\",:;@]+)>(?=\s|\Z)")


class Receiver:
    """What all connections share; aiosmtpd calls its `handle_…` methods."""

    def __init__(self, config: MailboxConfig, store: MailStore, clock: Clock) -> None:
        self.config = config
        self.store = store
        self.connections: set[Connection] = set()
        self._clock = clock
        self._deferrals: OrderedDict[str, int] = OrderedDict()

    def connection(self) -> "Connection":
        """Make the protocol of one connection."""
        return Connection(self)

    def keep(self, session: Session, envelope: Envelope, message: bytes) -> None:
        """Write a mail to the store; raises Unavailable when the disk is full."""
        self.store.append(
            mail_from="" if envelope.mail_from == "<>" else _printable(envelope.mail_from or ""),
            rcpt_to=[_printable(address) for address in envelope.rcpt_tos],
            peer=str(session.peer[0]) if session.peer else "",
            at=self._clock.now(),
            message=message,
        )
        meters.MESSAGES.inc()
        meters.BYTES.inc(len(message))

    async def handle_EHLO(  # noqa: N802 - the hook's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer PIPELINING (RFC 2920): commands are read one by one from a buffer, so it holds already."""
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]]

    async def handle_RCPT(  # noqa: N802
        self, server: "Connection", _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> object:
        """Accept a recipient unless it asks for a bounce or a deferral."""
        if len(envelope.rcpt_tos) >= self.config.max_recipients:
            return "452 4.5.3 Too many recipients"
        fault = parse_fault(address)
        if fault is None or fault.code is None or not self._strikes(fault, address):
            return MISSING
        meters.FAULTS[fault.kind].inc()
        if fault.code == _CLOSE_AFTER:
            # The reply is written right after this returns, before the loop gets to close.
            asyncio.get_running_loop().call_soon(server.transport.close)
        return fault.reply

    async def handle_exception(self, error: Exception) -> str:
        """Answer what went wrong in here without telling an address to the log or to the client."""
        logs.get().error("mailbox_failed", error=type(error).__name__)
        return "452 4.3.1 Not stored" if isinstance(error, TodokuError) else "451 4.3.0 Internal error"

    def _strikes(self, fault: MailFault, address: str) -> bool:
        """Count the strikes of an address in bounded memory: the longest unseen begins anew."""
        if fault.times is None:
            return True
        struck = self._deferrals.pop(address, 0)
        self._deferrals[address] = min(struck + 1, fault.times)
        if len(self._deferrals) > _COUNTED_ADDRESSES:
            self._deferrals.popitem(last=False)
        return struck < fault.times


class Connection(SMTP):
    """One SMTP connection."""

    # The bound of one read from the buffer, not of a line; commands have their own bound of 512 bytes.
    line_length_limit = 131_072

    # aiosmtpd says Optional; they are there from connection_made on, and no method here runs before or after.
    session: Session
    envelope: Envelope
    transport: asyncio.Transport
    _handler_coroutine: asyncio.Task[None]

    def __init__(self, receiver: Receiver) -> None:
        config = receiver.config
        super().__init__(
            receiver,
            data_size_limit=config.message_bytes,
            enable_SMTPUTF8=True,
            hostname=_HOSTNAME,
            ident="Todoku mailbox",
            timeout=config.idle_seconds,
            loop=asyncio.get_running_loop(),
        )
        # The class's own is shared by all connections, and each EHLO widens it.
        self.command_size_limits = defaultdict(lambda: self.command_size_limit)
        self._receiver = receiver

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, or turn it away when there are too many."""
        super().connection_made(transport)
        # asyncio leaves Nagle's algorithm on for accepted sockets: three replies in a row would cost 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._receiver.connections.add(self)
        meters.CONNECTIONS.inc()
        if len(self._receiver.connections) > self._receiver.config.max_connections:
            self.say_goodbye(_TOO_MANY)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        self._receiver.connections.discard(self)
        meters.CONNECTIONS.dec()
        super().connection_lost(error)

    def say_goodbye(self, line: bytes = _SHUTTING_DOWN) -> None:
        """Close with a last line; a message not yet answered 250 is not kept."""
        self._handler_coroutine.cancel()
        self.transport.write(line)
        self.transport.close()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Read the message, keep it, then answer, unless a recipient asks for something else."""
        if await self.check_helo_needed():
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        fault = next(filter(None, map(parse_fault, self.envelope.rcpt_tos)), None)
        kind = fault.kind if fault else None
        if kind is FaultKind.DROP_IN_DATA:
            await self._reader.readexactly(1)
            self._abort(kind)
            return
        message = await read_message(self._reader, self._receiver.config.message_bytes)
        envelope, self.envelope = self.envelope, self._create_envelope()
        if message is None:
            await self.push("552 5.3.4 Error: too much mail data")
        else:
            await self._finish(envelope, message, kind)

    async def _finish(self, envelope: Envelope, message: bytes, kind: FaultKind | None) -> None:
        """Keep and answer; a client that leaves while it waits cancels this, and nothing is kept."""
        config = self._receiver.config
        if kind is FaultKind.STALL:
            meters.FAULTS[kind].inc()
            await asyncio.sleep(config.stall_seconds)
            self.transport.abort()
            return
        if kind is FaultKind.SLOW:
            meters.FAULTS[kind].inc()
            await asyncio.sleep(config.slow_seconds)
        self._receiver.keep(self.session, envelope, message)
        if kind is FaultKind.DROP_AFTER_DOT:
            self._abort(kind)
        else:
            await self.push("250 2.0.0 OK")

    def _abort(self, kind: FaultKind) -> None:
        meters.FAULTS[kind].inc()
        self.transport.abort()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        plain = _PLAIN_PATH.match(arg)
        if plain:
            return plain[1], arg[plain.end() :]
        address: tuple[str | None, str | None] = super()._getaddr(arg)
        return address


def _printable(address: str) -> str:
    """Replace bytes that are not UTF-8, which aiosmtpd hands on as surrogates."""
    return address.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
