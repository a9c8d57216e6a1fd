"""Opens a connection to a peer: aiosmtplib greets, upgrades and authenticates, then the transport is ours.

Whatever goes wrong here is between us and the peer: `ConnectFailed`, and no message is to blame.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Awaitable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar, cast

import aiosmtplib

from delivery.replies.reply import Command, parse_reply
from delivery.smtp import cancellation
from delivery.smtp.errors import ConnectFailed, Failure
from delivery.smtp.outgoing import Outgoing
from delivery.smtp.peer import Peer, Timeouts
from delivery.smtp.phases import UNTIMED, Phases
from delivery.smtp.protocol import PipelinedConnection
from delivery.smtp.sequential import SequentialConnection
from delivery.smtp.transaction import Offers

_Answer = TypeVar("_Answer")

# What fails with one of these is no fault of the peer's. ENETUNREACH is not among them: a router far away may say it.
_LOCAL = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENETDOWN})


class Connection(Protocol):
    """One session with a peer, for one caller at a time.

    Where the peer pipelines, a message's body is held back until the next `send` or `flush`, so that it goes out
    together with the next message's envelope. What a peer does never raises here: each message's `done` is told, and
    the connection is not `usable` any more. At most one body is on the wire at any time.
    """

    sent: int
    """Messages begun on it."""

    tls: str | None
    """The version of TLS that it runs under ("TLSv1.3"), None in the clear."""

    @property
    def usable(self) -> bool:
        """Whether it can take a message now: nobody waits on it, and the peer is there as far as we know."""

    async def send(self, outgoing: Outgoing) -> None:
        """Begin a message; return as soon as the connection can take the next one, or is at its end.

        Its envelope goes out right behind the body that was held back, if there is one; then its own body is held
        back. So the caller sees to the next `send` or `flush` soon: a peer that waits for a body loses its patience.
        Raises Unsendable before any byte, the connection as usable as before. On a connection that is not `usable` the
        message comes to NotStarted. A cancellation cuts off all that is under way, telling each, and goes on.
        """

    async def flush(self) -> None:
        """Send the body that is held back, if any, and wait until nothing is under way; as `send` otherwise."""

    async def close(self) -> None:
        """Say QUIT if idle, waiting `Timeouts.quit` at most, and close; what is under way or held back is cut off."""


async def connect(peer: Peer, *, ehlo_name: str, timeouts: Timeouts, phases: Phases = UNTIMED) -> Connection:
    """Connect, greet, upgrade to TLS and authenticate as `peer` says; raises ConnectFailed."""
    try:
        return await _connect(peer, ehlo_name, timeouts, phases)
    except _UpgradeFailed:
        # With credentials there is nothing to gain: they don't go out in the clear.
        if peer.tls != "starttls" or peer.username is not None:
            raise
    return await _connect(replace(peer, tls="none"), ehlo_name, timeouts, phases)


async def _connect(peer: Peer, ehlo_name: str, timeouts: Timeouts, phases: Phases) -> Connection:
    now = asyncio.get_running_loop().time
    began = now()
    client = await _client(peer, ehlo_name, timeouts)
    try:
        await _ask("CONNECT", client.connect(timeout=timeouts.connect), bound=peer.local_address is not None)
        greeted = now()
        phases["connect"](greeted - began)
        await _ask("EHLO", client.ehlo())
        if peer.tls not in ("none", "tls"):
            await _upgrade(client, peer)
        if peer.username is not None:
            await _authenticate(client, peer, peer.username)
        phases["hello"](now() - greeted)
        cancellation.honour()
        return _handed_over(client, timeouts, phases)
    except BaseException:
        client.close()
        raise


async def _client(peer: Peer, ehlo_name: str, timeouts: Timeouts) -> aiosmtplib.SMTP:
    at_once = peer.tls == "tls"
    source = None if peer.local_address is None else (peer.local_address, 0)
    client = aiosmtplib.SMTP(
        hostname=peer.host,
        port=peer.port,
        local_hostname=ehlo_name,
        source_address=source,
        timeout=timeouts.ehlo,
        use_tls=at_once,
        # The upgrade is asked for below: so it is known which command failed.
        start_tls=False,
        tls_context=None if peer.tls == "none" else _tls_context(verify=_verifies(peer), ca_file=peer.ca_file),
    )
    if at_once and peer.server_name is not None:
        # For TLS from the first byte aiosmtplib verifies against the name that it connects to.
        target = (peer.host, peer.port)
        dialled = asyncio.to_thread(socket.create_connection, target, timeouts.connect, source)
        client.sock = await _ask("CONNECT", dialled, bound=source is not None)
        client.hostname, client.port = peer.server_name, None
    return client


class _UpgradeFailed(ConnectFailed):
    """STARTTLS was offered and did not come about."""


async def _upgrade(client: aiosmtplib.SMTP, peer: Peer) -> None:
    if not client.supports_extension("starttls"):
        if peer.tls == "starttls":
            return
        raise ConnectFailed(Failure.TLS)
    try:
        await _ask("STARTTLS", client.starttls(server_hostname=peer.server_name))
        # RFC 3207 section 4.2: what was offered in the clear is forgotten. And a server that turns the handshake down
        # says so only now.
        await _ask("EHLO", client.ehlo())
    except ConnectFailed as error:
        raise _UpgradeFailed(error.failure, error.reply) from None


async def _authenticate(client: aiosmtplib.SMTP, peer: Peer, username: str) -> None:
    in_the_clear = _tls_version(client) is None
    if (in_the_clear and peer.tls != "none") or not client.supported_auth_methods:
        # Opportunistic, and someone on the way may have taken STARTTLS out: the password stays here.
        raise ConnectFailed(Failure.AUTHENTICATION)
    password = peer.password.get_secret_value() if peer.password else ""
    await _ask("AUTH", client.login(username, password))


def _handed_over(client: aiosmtplib.SMTP, timeouts: Timeouts, phases: Phases) -> Connection:
    """Take the transport over where the peer pipelines. No await in here: a byte in between would be lost."""
    transport = client.transport
    if transport is None or transport.is_closing():
        raise ConnectFailed(Failure.LOST)
    offers, tls = Offers.of(client.esmtp_extensions), _tls_version(client)
    if not client.supports_extension("pipelining"):
        return SequentialConnection(client, offers=offers, timeouts=timeouts, tls=tls, phases=phases)
    taken_over = cast("asyncio.Transport", transport)
    connection = PipelinedConnection(taken_over, offers=offers, timeouts=timeouts, tls=tls, phases=phases)
    transport.set_protocol(connection)
    return connection


def _tls_version(client: aiosmtplib.SMTP) -> str | None:
    session = None if client.transport is None else client.transport.get_extra_info("ssl_object")
    return None if session is None else cast("ssl.SSLObject", session).version()


async def _ask(command: Command, step: Awaitable[_Answer], *, bound: bool = False) -> _Answer:
    """Await one step of the opening; whatever it raises becomes ConnectFailed, without its text.

    `bound`: the step binds a source address.
    """
    reply = None
    try:
        return await step
    except aiosmtplib.SMTPResponseException as error:
        # aiosmtplib's own mark for what is no reply is -1.
        failure = Failure.REFUSED if error.code > 0 else Failure.PROTOCOL
        reply = parse_reply(command, error.code, error.message) if error.code > 0 else None
    except (aiosmtplib.SMTPTimeoutError, TimeoutError):
        failure = Failure.TIMEOUT
    except aiosmtplib.SMTPConnectError as error:
        failure = _failure_of(error.__cause__, bound=bound)
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        failure = _failure_of(error, bound=bound)
    raise ConnectFailed(failure, reply)


def _failure_of(error: BaseException | None, *, bound: bool) -> Failure:
    # ValueError: a server's name that can't be put in a handshake.
    if isinstance(error, (ssl.SSLError, ValueError)):
        return Failure.TLS
    # EADDRNOTAVAIL without an address of ours to bind only says that there is no IPv6 here.
    ours = isinstance(error, OSError) and (error.errno in _LOCAL or (bound and error.errno == errno.EADDRNOTAVAIL))
    return Failure.LOCAL if ours else Failure.LOST


def _verifies(peer: Peer) -> bool:
    return peer.tls in ("starttls-required", "tls")


@lru_cache(maxsize=64)
def _tls_context(*, verify: bool, ca_file: Path | None) -> ssl.SSLContext:
    """Build the context once: reading the system's authorities takes 20 ms."""
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
