"""What comes back of a mail by mail: from a server that gives up, a provider with a complaint, people, programs."""

import asyncio
import re
import smtplib
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr

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


_AWAY = """\
From: {address}
To: {to}
Subject: =?utf-8?b?5LiN5Zyo44Gu44GK55+l44KJ44Gb?=
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

来週まで休暇をいただいております。
"""
_REPLY = """\
From: {address}
To: {to}
Subject: Re: your mail
In-Reply-To: {about}
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

沖縄にも送っていただけますか。
"""
_LEAVE = """\
From: {address}
To: {to}
Subject: unsubscribe

"""
_MAILTO = re.compile(r"<mailto:([^>?]+)")


async def answer(inbound: tuple[str, int], what: str, raw: bytes, return_path: str, address: str) -> bool:
    """Send `inbound` what comes back of a mail to `address` (Fate.returns); return whether that was taken.

    A bounce as in RFC 3464 and an automatic answer (RFC 3834) to its return path, a complaint (RFC 5965) where the mail
    says (RFC 9477), an unsubscribe to the address in List-Unsubscribe (RFC 2369), a person's answer to Reply-To.
    """
    mail = message_from_bytes(raw, policy=policy.default)
    sender = ""
    match what:
        case "bounce":
            to, message = return_path, _BOUNCE.format(address=address)
        case "auto_reply":
            to, message = return_path, _AWAY.format(address=address, to=return_path)
        case "complaint":
            to = str(mail["CFBL-Address"] or "").partition(";")[0].strip()
            head = "\n".join(f"{name}: {mail[name]}" for name in ("From", "Subject", "Message-ID"))
            message = _COMPLAINT.format(mail=f"{head}\n\nHello\n")
        case "unsubscribe":
            found = _MAILTO.search(str(mail["List-Unsubscribe"] or ""))
            sender, to = address, found[1] if found else ""
            message = _LEAVE.format(address=address, to=to)
        case _:
            sender, to = address, parseaddr(str(mail["Reply-To"] or ""))[1]
            message = _REPLY.format(address=address, to=to, about=mail["Message-ID"])
    return await asyncio.to_thread(_send, inbound, sender, to, message)


def writer_of(raw: bytes) -> str:
    """Return whose answer it is that the sender got, "" for none that was written here."""
    mail = message_from_bytes(raw, policy=policy.default)
    assert isinstance(mail, EmailMessage)  # noqa: S101 - the policy makes these
    whole = mail.get_content().strip() == _REPLY.rpartition("\n\n")[2].strip()
    return parseaddr(str(mail["From"] or ""))[1] if whole else ""


def _send(inbound: tuple[str, int], sender: str, to: str, message: str) -> bool:
    try:
        with smtplib.SMTP(*inbound, timeout=_SECONDS) as server:
            server.sendmail(sender, [to], message.replace("\n", "\r\n").encode("utf-8", "replace"))
    except (smtplib.SMTPException, OSError):
        return False
    return True
