"""Opens a connection to a relay: aiosmtplib greets, upgrades and authenticates, then the transport is ours.

Whatever goes wrong here is between us and the relay: `ConnectFailed`, and no message is to blame.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Protocol, cast

import aiosmtplib

from delivery.envelope import Envelope
from delivery.replies.reply import Command, Reply, parse_reply
from delivery.smtp import cancellation
from delivery.smtp.errors import ConnectFailed, Failure
from delivery.smtp.protocol import PipelinedConnection
from delivery.smtp.relay import Relay, Timeouts
from delivery.smtp.sequential import SequentialConnection
from delivery.smtp.transaction import Offers


class Connection(Protocol):
    """One authenticated session with a relay, for one message at a time."""

    sent: int
    """Messages begun on it."""

    @property
    def usable(self) -> bool:
        """Whether a message can be sent now: idle, and the peer is there as far as we know."""

    async def send(self, envelope: Envelope, *, on_start: Callable[[], None]) -> Reply:
        """Send one message and return the reply that decided: the first refusal, or the one to the final dot.

        `on_start` is called right before the body's first byte is written, and not at all where the envelope was
        refused; what it raises reaches the caller, with nothing written and the connection gone. Raises Unsendable
        (before any byte; still usable), NotStarted (nothing of the body went out), OutcomeUnknown (some of it may
        have, and no final reply came). After either of the last two, a 421 or a cancellation it is not `usable`.
        """

    async def close(self) -> None:
        """Say QUIT if idle, waiting `Timeouts.quit` at most, and close; a message under way is cut off."""


async def connect(relay: Relay, *, ehlo_name: str, timeouts: Timeouts) -> Connection:
    """Connect, greet, upgrade to TLS and authenticate as `relay` says; raises ConnectFailed."""
    client = aiosmtplib.SMTP(
        hostname=relay.host,
        port=relay.port,
        local_hostname=ehlo_name,
        timeout=timeouts.ehlo,
        use_tls=relay.tls == "tls",
        # The upgrade is asked for below: so it is known which command failed.
        start_tls=False,
        tls_context=_tls_context(verify=relay.tls != "starttls", ca_file=relay.ca_file),
    )
    try:
        await _ask("CONNECT", client.connect(timeout=timeouts.connect))
        await _ask("EHLO", client.ehlo())
        await _upgrade(client, relay)
        await _authenticate(client, relay)
        cancellation.honour()
        return _handed_over(client, timeouts)
    except BaseException:
        client.close()
        raise


async def _upgrade(client: aiosmtplib.SMTP, relay: Relay) -> None:
    if relay.tls not in ("starttls", "starttls-required"):
        return
    if client.supports_extension("starttls"):
        await _ask("STARTTLS", client.starttls())
        # RFC 3207 section 4.2: what was offered in the clear is forgotten.
        await _ask("EHLO", client.ehlo())
    elif relay.tls == "starttls-required":
        raise ConnectFailed(Failure.TLS)


async def _authenticate(client: aiosmtplib.SMTP, relay: Relay) -> None:
    if relay.username is None:
        return
    in_the_clear = client.get_transport_info("sslcontext") is None
    if (in_the_clear and relay.tls != "none") or not client.supported_auth_methods:
        # Opportunistic, and someone on the way may have taken STARTTLS out: the password stays here.
        raise ConnectFailed(Failure.AUTHENTICATION)
    password = relay.password.get_secret_value() if relay.password else ""
    await _ask("AUTH", client.login(relay.username, password))


def _handed_over(client: aiosmtplib.SMTP, timeouts: Timeouts) -> Connection:
    """Take the transport over where the peer pipelines. No await in here: a byte in between would be lost."""
    transport = client.transport
    if transport is None or transport.is_closing():
        raise ConnectFailed(Failure.LOST)
    offers = Offers.of(client.esmtp_extensions)
    if not client.supports_extension("pipelining"):
        return SequentialConnection(client, offers=offers, timeouts=timeouts)
    connection = PipelinedConnection(cast("asyncio.Transport", transport), offers=offers, timeouts=timeouts)
    transport.set_protocol(connection)
    return connection


async def _ask(command: Command, step: Awaitable[object]) -> None:
    """Await one step of the opening; whatever it raises becomes ConnectFailed, without its text."""
    failure, reply = Failure.LOST, None
    try:
        await step
    except aiosmtplib.SMTPResponseException as error:
        # aiosmtplib's own mark for what is no reply is -1.
        failure = Failure.REFUSED if error.code > 0 else Failure.PROTOCOL
        reply = parse_reply(command, error.code, error.message) if error.code > 0 else None
    except aiosmtplib.SMTPTimeoutError:
        failure = Failure.TIMEOUT
    except ssl.SSLError:
        failure = Failure.TLS
    except aiosmtplib.SMTPConnectError as error:
        failure = Failure.TLS if isinstance(error.__cause__, ssl.SSLError) else Failure.LOST
    except (aiosmtplib.SMTPException, OSError):
        failure = Failure.LOST
    else:
        return
    raise ConnectFailed(failure, reply)


@lru_cache(maxsize=64)
def _tls_context(*, verify: bool, ca_file: Path | None) -> ssl.SSLContext:
    """Build the context once: reading the system's authorities takes 20 ms."""
    context = ssl.create_default_context(cafile=ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
