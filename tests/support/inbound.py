"""Inbound on its own database role, listening on loopback, and what is sent to it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiosmtplib
import asyncpg

from core.clock import SystemClock
from core.errors import TodokuError
from core.tokens import SLOT_COMPLAINT, SLOT_REPLY, SLOT_RETURN_PATH
from delivery.envelope import Envelope
from delivery.return_addresses import Purpose, local_part
from tests.support.runs import SIGNER, Run
from tracking.inbound.connection import Bounds, Listener
from tracking.inbound.forwarding import Forwarding, Sender
from tracking.inbound.kept import Kept
from tracking.inbound.process import serve
from tracking.inbound.reception import Reception
from tracking.inbound.records import Records

DOMAIN = "bounces.example.jp"
OPERATOR = "operator@example.jp"
_SLOTS: dict[Purpose, int] = {
    "bounce": SLOT_RETURN_PATH,
    "unsubscribe": SLOT_RETURN_PATH,
    "complaint": SLOT_COMPLAINT,
    "reply": SLOT_REPLY,
}


def address(run: Run, seq: int, purpose: Purpose = "bounce") -> str:
    return f"{local_part(purpose, SIGNER.mint_for_address(run.run_id, seq, _SLOTS[purpose]))}@{DOMAIN}"


def dsn(diagnostic: str = "550 5.1.1 User unknown", *, action: str = "failed", mark: str = "1") -> bytes:
    """A delivery status notification; another `mark` makes it another mail."""
    return (
        "From: MAILER-DAEMON@mx.example.com\r\n"
        f"Message-ID: <{mark}@mx.example.com>\r\n"
        "Subject: Undelivered Mail\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example.com\r\n\r\n"
        f"Final-Recipient: rfc822; taro@example.com\r\nAction: {action}\r\n"
        f"Diagnostic-Code: smtp; {diagnostic}\r\n\r\n--b--\r\n"
    ).encode()


def arf(original: str, *, kind: str = "abuse") -> bytes:
    """An abuse report that returns the head of a mail."""
    return (
        "From: fbl@provider.example\r\nSubject: complaint\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n"
        f"--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nVersion: 1\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822\r\n\r\n{original}\r\nSubject: News\r\n\r\nHello\r\n--b--\r\n"
    ).encode()


LETTER = b"From: Taro <taro@corp.example>\r\nSubject: Re: News\r\n\r\nDo you ship to Okinawa?\r\n"


@dataclass
class Sent:
    """What was sent on; `fails` is raised instead."""

    envelopes: list[Envelope] = field(default_factory=list)
    fails: TodokuError | None = None

    async def send(self, envelope: Envelope) -> None:
        if self.fails:
            raise self.fails
        self.envelopes.append(envelope)


@dataclass
class Inbound:
    port: int
    sent: Sent
    kept: Kept
    listener: Listener

    async def client(self) -> aiosmtplib.SMTP:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=self.port, start_tls=False, local_hostname="mx.example.com")
        await client.connect()
        return client

    async def deliver(self, to: str | Sequence[str], message: bytes, *, sender: str = "") -> int:
        """Send one mail; return the code that it was answered with."""
        client = await self.client()
        try:
            await client.ehlo()
            await client.mail(sender)
            for one in [to] if isinstance(to, str) else to:
                await client.rcpt(one)
            return (await client.data(message)).code
        except aiosmtplib.SMTPResponseException as error:
            return error.code
        finally:
            client.close()


@asynccontextmanager
async def inbound(
    pool: asyncpg.Pool,
    directory: Path,
    *,
    bounds: Bounds | None = None,
    operator: str = OPERATOR,
    tls: ssl.SSLContext | None = None,
    kept_bytes: int = 1_000_000,
    sender: Sender | None = None,
) -> AsyncIterator[Inbound]:
    clock, stop, sent = SystemClock(), asyncio.Event(), Sent()
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    kept = Kept(directory / "kept", most=kept_bytes)
    forwarding = Forwarding(sender or sent, clock, domain=DOMAIN, name="in.example.jp")
    reception = Reception(Records(pool), SIGNER, kept, forwarding, operator)
    listener = Listener(reception, SIGNER, clock, domain=DOMAIN, name="in.example.jp", bounds=bounds, tls=tls)
    serving = asyncio.create_task(serve(listener, host="127.0.0.1", port=0, stop=stop, on_ready=ready.set_result))
    try:
        yield Inbound(await ready, sent, kept, listener)
    finally:
        stop.set()
        await serving
