"""The SMTP side: takes mail for addresses of ours and for nobody else, within bounds.

    250  what the mail means is in the tables, forwarded, or on disk for a person
    450, 451, 452  not now, and nothing is done: the sender keeps it and tries again
    550, 552, 554  no address of ours, too large, it goes in a circle, or the next server would not take it

One recipient a transaction: each of our addresses names one delivery, and one answer can't speak for two.
"""

import asyncio
import logging
import re
import socket
import ssl
from collections import Counter, defaultdict
from dataclasses import dataclass

from aiosmtpd.smtp import MISSING, SMTP, Envelope, Session

from core import logs
from core.clock import Clock
from core.errors import InvalidInput, NotFound, Unavailable
from core.tokens import LinkSigner
from delivery import return_addresses
from delivery.return_addresses import ReturnAddress
from delivery.single import NeedsSmtputf8
from tracking.inbound import meters
from tracking.inbound.dot_stuffing import read_message
from tracking.inbound.forwarding import Circling
from tracking.inbound.rates import Rates, network_of
from tracking.inbound.reception import Reception

# aiosmtpd logs addresses from INFO on, and at WARNING any unknown command's word, which could be one.
logging.getLogger("mail.log").setLevel(logging.ERROR)

log = logs.get()

OPERATOR = frozenset({"abuse", "postmaster"})
"""Local parts that every domain with mail has (RFC 2142)."""

_CLOSE = b"421 4.3.2 Shutting down\r\n"
_TOO_MANY = b"421 4.7.0 Too many connections\r\n"
_TOO_OFTEN = b"421 4.7.0 Too many connections from your network\r\n"
_PATH = re.compile(r"(?P<local>[^@\s<>]{1,64})(?:@(?P<domain>[^@\s<>]{1,255}))?")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a stranger may ask of us.

    Bytes of a mail; connections in all and of one network (an IPv4 address, an IPv6 /64); new connections and mails of
    one network in a second, over a burst of sixty times as much; seconds for a command or one DATA, and for a whole
    session; commands and recipients refused before it is ended.
    """

    message_bytes: int = 10_000_000
    connections: int = 500
    network_connections: int = 50
    connections_a_second: float = 10
    mails_a_second: float = 50
    idle_seconds: float = 60
    session_seconds: float = 900
    refusals: int = 10


_BURST = 60


class Listener:
    """What all connections share; aiosmtpd calls its `handle_…` methods."""

    def __init__(
        self,
        reception: Reception,
        signer: LinkSigner,
        clock: Clock,
        *,
        domain: str,
        name: str,
        bounds: Bounds | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.bounds = bounds or Bounds()
        self.name = name
        self.tls = tls
        self.reception = reception
        self.connections: set[Connection] = set()
        self.by_network: Counter[str] = Counter()
        self.idle = asyncio.Event()
        self.idle.set()
        self.clock = clock
        self._signer = signer
        self._domain = domain.lower()
        self.opened = Rates(a_second=self.bounds.connections_a_second, burst=self.bounds.connections_a_second * _BURST)
        self.mails = Rates(a_second=self.bounds.mails_a_second, burst=self.bounds.mails_a_second * _BURST)

    def connection(self) -> "Connection":
        """Make the protocol of one connection."""
        return Connection(self)

    def address(self, recipient: str) -> ReturnAddress | None:
        """Return what a recipient's address says, None for the operator's; raise NotFound if it is none of ours."""
        found = _PATH.fullmatch(recipient)
        if found is None:
            raise NotFound("No such address")
        local, domain = found["local"], found["domain"]
        # RFC 5321 section 4.1.1.3: a bare postmaster is to be taken, too.
        if local.lower() in OPERATOR and (domain or self._domain).lower() == self._domain:
            return None
        if domain is None or domain.lower() != self._domain:
            raise NotFound("No such address")
        return return_addresses.read(local, self._signer)

    async def handle_EHLO(  # noqa: N802 - the hook's name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer PIPELINING (RFC 2920), since commands are read one by one from a buffer; and no AUTH, for nobody."""
        session.host_name = hostname
        offered = [line for line in responses if not line[4:].startswith("AUTH")]
        return [offered[0], "250-PIPELINING", *offered[1:]]

    async def handle_RCPT(  # noqa: N802
        self, server: "Connection", _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> object:
        """Take an address of ours, and one only."""
        if envelope.rcpt_tos:
            return "452 4.5.3 One recipient at a time"
        try:
            self.address(address)
        except NotFound:
            meters.REFUSED.labels("recipient").inc()
            return server.refuse("550 5.1.1 No such address here")
        if not self.mails.allow(server.network, self.clock.monotonic()):
            meters.REFUSED.labels("rate").inc()
            return "450 4.7.0 Too many mails from your network, try again later"
        return MISSING

    async def handle_exception(self, error: Exception) -> str:
        """Answer what went wrong in here without telling an address to the log or to the client."""
        log.error("inbound_failed", error=type(error).__name__)
        return "451 4.3.0 Internal error"


class Connection(SMTP):
    """One SMTP connection."""

    # The bound of one read from the buffer, not of a line; commands have their own bound of 512 bytes.
    line_length_limit = 131_072

    # aiosmtpd says Optional; they are there from connection_made on, and no method here runs before or after.
    session: Session
    envelope: Envelope
    transport: asyncio.Transport
    _handler_coroutine: asyncio.Task[None]

    def __init__(self, listener: Listener) -> None:
        super().__init__(
            listener,
            data_size_limit=listener.bounds.message_bytes,
            hostname=listener.name,
            ident="Todoku",
            tls_context=listener.tls,
            timeout=listener.bounds.idle_seconds,
            enable_SMTPUTF8=True,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        # The class's own is shared by all connections, and each EHLO widens it.
        self.command_size_limits = defaultdict(lambda: self.command_size_limit)
        self.network = ""
        self._listener = listener
        self._refusals = 0
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client, or turn it away. Called once more when TLS begins."""
        super().connection_made(transport)
        if self._end is not None:
            return
        listener, bounds = self._listener, self._listener.bounds
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.network = network_of(str(self.session.peer[0])) if self.session.peer else ""
        self._end = asyncio.get_running_loop().call_later(bounds.session_seconds, self._abort)
        listener.connections.add(self)
        listener.idle.clear()
        listener.by_network[self.network] += 1
        meters.CONNECTIONS.inc()
        if (
            len(listener.connections) > bounds.connections
            or listener.by_network[self.network] > bounds.network_connections
        ):
            meters.REFUSED.labels("connections").inc()
            self.say_goodbye(_TOO_MANY)
        elif not listener.opened.allow(self.network, listener.clock.monotonic()):
            meters.REFUSED.labels("rate").inc()
            self.say_goodbye(_TOO_OFTEN)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection."""
        if self in self._listener.connections:
            self._listener.connections.discard(self)
            if not self._listener.connections:
                self._listener.idle.set()
            self._listener.by_network[self.network] -= 1
            self._listener.by_network += Counter()  # drops what is zero
            meters.CONNECTIONS.dec()
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(error)

    def say_goodbye(self, line: bytes = _CLOSE) -> None:
        """Close with a last line; a mail not yet answered 250 may be sent again."""
        self._handler_coroutine.cancel()
        self.transport.write(line)
        self.transport.close()

    def refuse(self, reply: str) -> str:
        """Return the reply, or the end of a session that has drawn too many of them: it is guessing."""
        self._refusals += 1
        if self._refusals <= self._listener.bounds.refusals:
            return reply
        meters.REFUSED.labels("guessing").inc()
        # The reply is written right after this returns, before the loop gets to close.
        asyncio.get_running_loop().call_soon(self.transport.close)
        return "421 4.7.0 Too many refusals"

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        """Read the mail, take it in, then answer."""
        if await self.check_helo_needed():
            return
        if not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Error: need RCPT command")
            return
        if arg:
            await self.push("501 5.5.4 Syntax: DATA")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        message = await read_message(self._reader, self._listener.bounds.message_bytes)
        envelope, self.envelope = self.envelope, self._create_envelope()
        if message is None:
            meters.REFUSED.labels("size").inc()
            await self.push("552 5.3.4 Error: too much mail data")
            return
        # What it takes to take it in has bounds of its own.
        self._reset_timeout(self._listener.bounds.session_seconds)
        with meters.SECONDS.time():
            answer = await self._take(envelope, message)
        await self.push(answer)

    async def _take(self, envelope: Envelope, message: bytes) -> str:
        recipient = envelope.rcpt_tos[0]
        sender = "" if envelope.mail_from in (None, "<>") else str(envelope.mail_from)
        try:
            outcome = await self._listener.reception.take(
                message, self._listener.address(recipient), came_to=recipient, sender=sender
            )
        except Unavailable as error:
            meters.DEFERRED.labels("unavailable").inc()
            log.warning("mail_deferred", why=error.detail)
            return "451 4.3.0 Not now, try again later"
        except InvalidInput as error:
            meters.REFUSED.labels("undeliverable").inc()
            log.warning("mail_refused", why=error.detail)
            return _refusal(error)
        meters.MAILS.labels(outcome).inc()
        return "250 2.0.0 OK"

    def _abort(self) -> None:
        meters.REFUSED.labels("time").inc()
        self.transport.abort()


def _refusal(error: InvalidInput) -> str:
    """Say why a mail is not passed on (RFC 3463, RFC 6531 section 3.5)."""
    match error:
        case Circling():
            return "554 5.4.6 It goes in a circle"
        case NeedsSmtputf8():
            return "550 5.6.7 The server behind this one takes no addresses beyond ASCII"
        case _:
            return "554 5.0.0 The server behind this one does not take it"
