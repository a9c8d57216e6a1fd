"""What comes back of a mail by mail: a server that gives up on it, a provider that reports a complaint of it."""

import asyncio
import smtplib
from email import message_from_bytes, policy

_SECONDS = 30.0

_BOUNCE = """\
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="demo"

--demo
Content-Type: text/plain; charset=us-ascii

Your message could not be delivered.

--demo
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; {address}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <{address}>: Recipient address rejected: User unknown

--demo--
"""
_COMPLAINT = """\
From: feedback@provider.example
Subject: FW: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="demo"

--demo
Content-Type: text/plain; charset=us-ascii

This is an abuse report for a message that you sent.

--demo
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Demo/1
Version: 1

--demo
Content-Type: message/rfc822

{mail}
--demo--
"""


async def bounce(inbound: tuple[str, int], return_path: str, address: str) -> bool:
    """Give up on a mail (RFC 3464); return whether that was taken."""
    return await asyncio.to_thread(_send, inbound, return_path, _BOUNCE.format(address=address))


async def complain(inbound: tuple[str, int], raw: bytes) -> bool:
    """Report a complaint (RFC 5965) where the mail says (RFC 9477); return whether that was taken."""
    mail = message_from_bytes(raw, policy=policy.default)
    to = str(mail["CFBL-Address"] or "").partition(";")[0].strip()
    head = "\n".join(f"{name}: {mail[name]}" for name in ("From", "Subject", "Message-ID"))
    return await asyncio.to_thread(_send, inbound, to, _COMPLAINT.format(mail=f"{head}\n\nHello\n"))


def _send(inbound: tuple[str, int], to: str, message: str) -> bool:
    try:
        with smtplib.SMTP(*inbound, timeout=_SECONDS) as server:
            server.sendmail("", [to], message.replace("\n", "\r\n").encode("utf-8", "replace"))
    except (smtplib.SMTPException, OSError):
        return False
    return True
