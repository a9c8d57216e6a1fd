"""What a bounce says of its delivery: delivery status notifications (RFC 3464), and what was written before them.

Judged by the classifier of SMTP replies (delivery/replies): a receiver means the same by the same words, whether it
says them at once or in a letter. The classes:

    hard     the address, for good         policy   we, as the receiver sees us, or the dialogue
    soft     the receiver, for now         unknown  it was not delivered, and nobody says why

Who is `gone` is mailed no more at once; a `strike` is one of several that come to the same (docs/how-to/inbound.md).
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from email.parser import BytesParser
from email.policy import compat32
from typing import Literal, TypeAlias

from flufl.bounce import all_failures

from delivery.replies.classify import classify
from delivery.replies.mask import mask
from delivery.replies.reply import Command, Reply, parse_reply
from delivery.replies.verdict import STRIKES, Reason
from tracking.inbound.mail import BROKEN, Head, Mail

Class: TypeAlias = Literal["hard", "soft", "policy", "unknown", "challenge", "auto_reply"]

# It logs each mail that breaks one of its detectors, with what it stumbled over.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

FAILED, DELAYED = "failed", "delayed"

_SCANNED = 65_536
"""Bytes that the detectors of older forms get to see: they look for what stands at a mail's beginning."""
_LONGEST_LINE = 1_000
"""… and of each line, which is all that RFC 5322 allows: their expressions take seconds for a long one."""

_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY = re.compile(r"\s*([245]\d\d)(?:[ -]|$)(.{0,2000})", re.DOTALL)
# A reply that is quoted in running text, and the code that qmail puts at the end of a sentence.
_QUOTED = re.compile(
    r"(?:^|[\s:(<>\"'])([45]\d\d[ -](?:[#(]?[45]\.\d{1,3}\.\d{1,3}\)?[ :-]+)?\S[^\n]{0,400})", re.MULTILINE
)
_HASHED = re.compile(r"\(?#([45]\.\d{1,3}\.\d{1,3})\)?")
_COPY = re.compile(
    r"^[-\s]*(?:(?:below this line is|this is|begin) a copy of|original message|the original message|元のメッセージ"
    r"|unsent message below|your message|returned message|message headers? follow)",
    re.IGNORECASE | re.MULTILINE,
)
_IN_REPLY_TO = re.compile(r"in reply to (?:the )?(RCPT|MAIL|DATA|end of DATA|EHLO|HELO|STARTTLS)", re.IGNORECASE)
_COMMANDS: dict[str, Command] = {
    "rcpt": "RCPT",
    "mail": "MAIL",
    "data": "DATA",
    "end of data": "BODY",
    "ehlo": "EHLO",
    "helo": "EHLO",
    "starttls": "STARTTLS",
}
_DAEMON = re.compile(r"\b(?:mailer-daemon|postmaster|mail[ ._-]?delivery|mailadmin|mdaemon)\b", re.IGNORECASE)
_TEMPORARY = re.compile(
    r"\b(?:still being (?:retried|attempted)|will (?:be retried|keep trying)|warning only)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Notice:
    """What a bounce says. `action` as RFC 3464 section 2.3.3 has it; `recipient` is for masking alone.

    `mixed`: the address stood for several people, some of whom got the mail.
    """

    action: str
    reply: Reply | None
    recipient: str = ""
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class Bounce:
    """What it comes to: class and reason, and masked evidence of at most 200 characters."""

    kind: Class
    reason: str
    status: str = ""
    evidence: str = ""
    gone: bool = False

    @property
    def strike(self) -> bool:
        """Whether it counts towards a stop."""
        return self.kind in ("hard", "soft") and self.reason in STRIKES


def status_of(mail: Mail) -> Notice | None:
    """Return what the delivery status of a mail says, or None if it has none."""
    blocks = mail.blocks("message/delivery-status")
    about = [block for block in blocks if "action" in block or "status" in block or "final-recipient" in block]
    if not about:
        return None
    actions = [_action(block) for block in about]
    if FAILED in actions:
        block = about[actions.index(FAILED)]
        mixed = any(action in ("delivered", "relayed", "expanded") for action in actions)
        recipient = _after_type(block.get("original-recipient") or block.get("final-recipient"))
        return Notice(FAILED, _reply(block, mail.text), recipient, mixed)
    return Notice(DELAYED if DELAYED in actions else actions[0], None)


def is_of_server(mail: Mail) -> bool:
    """Say whether a mail calls itself a mail server's own."""
    return "x-failed-recipients" in mail.head or _DAEMON.search(mail.head.get("from")) is not None


def older_notice(mail: Mail, *, null_sender: bool) -> Notice | None:
    """Return what a bounce without a delivery status says, or None if it is none."""
    text = mail.text
    temporary, permanent = _detected(mail)
    if not (temporary or permanent or is_of_server(mail)):
        return None
    if (temporary and not permanent) or _TEMPORARY.search(text):
        return Notice(DELAYED, None)
    copy = _COPY.search(text)
    said = text[: copy.start()] if copy and copy.start() else text
    reply = _quoted(said)
    if reply is None and not (permanent or null_sender):
        # A postmaster who writes as a person does.
        return None
    return Notice(FAILED, reply, next(iter(permanent), b"").decode("ascii", "replace"))


def judge(notice: Notice) -> Bounce:
    """Say what a failure comes to."""
    reply = notice.reply
    if reply is None:
        return Bounce("unknown", Reason.UNKNOWN.value)
    verdict = classify(reply)
    evidence = mask(f"{reply.code} {reply.enhanced or ''} {reply.text}", recipient=notice.recipient)
    kind: Class = "unknown" if notice.mixed else _class(verdict.reason, final=verdict.outcome == FAILED)
    gone = verdict.suppress and not notice.mixed
    return Bounce(kind, verdict.reason.value, reply.enhanced or "", evidence, gone)


def _class(reason: Reason, *, final: bool) -> Class:
    match reason.kind:
        case "hard":
            return "hard" if final else "soft"
        case "soft":
            return "soft"
        case "policy" | "protocol":
            return "policy"
        case _:
            return "unknown"


def _action(block: Head) -> str:
    said = block.get("action").lower().split("(")[0].strip()
    if said:
        return said
    # Without the field that must be there, the status tells (RFC 3463 section 2).
    return {"2": "delivered", "4": DELAYED}.get(block.get("status")[:1], FAILED)


def _reply(block: Head, text: str) -> Reply | None:
    """Make of a recipient's fields the reply that the reporting server got, or would have given."""
    diagnostic = _after_type(block.get("diagnostic-code"))
    found = _STATUS.search(block.get("status"))
    status = found[0] if found and found[1] != "2" else None
    command = _command(diagnostic) or _command(text) or "RCPT"
    reply = _of_diagnostic(command, diagnostic)
    if reply is None and status is not None:
        reply = parse_reply(command, 550 if status[0] == "5" else 450, diagnostic)
    if reply is None:
        return _quoted(diagnostic) or _quoted(text)
    if reply.enhanced is None and status is not None and int(status[0]) == reply.code // 100:
        reply = replace(reply, enhanced=status)
    if reply.enhanced in (None, "5.0.0", "4.0.0") and not reply.text:
        return _quoted(text) or reply
    return reply


def _of_diagnostic(command: Command, diagnostic: str) -> Reply | None:
    found = _REPLY.match(diagnostic)
    if found is None or found[1][0] == "2":
        return None
    # A reply of several lines, as it stands in a field of one.
    return parse_reply(command, int(found[1]), re.sub(rf"\s+{found[1]}[ -]", "\n", found[2]))


def _quoted(text: str) -> Reply | None:
    """Find in running text what a server said; None where it says nothing that anyone knows."""
    command = _command(text) or "RCPT"
    for said in _QUOTED.findall(text)[:10]:
        reply = parse_reply(command, int(said[:3]), said[4:].lstrip("#("))
        if classify(reply).reason is not Reason.UNKNOWN:
            return reply
    hashed = _HASHED.search(text)
    if hashed:
        line = text[text.rfind("\n", 0, hashed.start()) + 1 : hashed.end()]
        return replace(parse_reply(command, 550 if hashed[1][0] == "5" else 450, line), enhanced=hashed[1])
    reply = parse_reply(command, 550, text)
    return None if classify(reply).reason is Reason.UNKNOWN else reply


def _command(text: str) -> Command | None:
    found = _IN_REPLY_TO.search(text)
    return _COMMANDS[found[1].lower()] if found else None


def _after_type(value: str) -> str:
    """Return a field's value without the type before it, as in "smtp; 550 …" (RFC 3464 section 2.1.2)."""
    return value.partition(";")[2].strip() or value.strip()


def _detected(mail: Mail) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Ask flufl.bounce for those whom a mail says not to have reached, for now and for good."""
    head = b"\n".join(line[:_LONGEST_LINE] for line in mail.raw[:_SCANNED].split(b"\n"))
    try:
        temporary, permanent = all_failures(BytesParser(policy=compat32).parsebytes(head))
    except BROKEN:
        # Hostile mail breaks a detector: it has seen nothing.
        return (), ()
    return tuple(temporary), tuple(permanent)
