"""What a mail that came in is: pure, from its bytes and the address that it came to.

Whom it is about is said by tokens of ours alone: the address's own first, for abuse reports and mail out of files those
in the mail that is returned. A mail that none names is about nobody, whatever addresses stand in it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from core.tokens import LinkSigner, TokenContent
from delivery.return_addresses import ReturnAddress
from tracking.inbound import answers, feedback, notices
from tracking.inbound.mail import Mail, Unreadable, read
from tracking.inbound.notices import Bounce
from tracking.inbound.tokens import delivery_within

Kind: TypeAlias = Literal["bounce", "complaint", "unsubscribe"]


@dataclass(frozen=True, slots=True)
class Report:
    """Something that happened to a delivery; `bounce` says of a bounce what it comes to."""

    kind: Kind
    delivery: TokenContent
    bounce: Bounce | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A person wrote in answer to a delivery: to go on to its sender."""

    delivery: TokenContent


@dataclass(frozen=True, slots=True)
class ForOperator:
    """For whoever runs the installation."""


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing that anybody needs: `why` is a word for a metric."""

    why: Literal["delayed", "delivered", "not_spam", "loop", "automatic"]


@dataclass(frozen=True, slots=True)
class Unclear:
    """For a person to look at: `why` is a word for a listing."""

    why: Literal["unreadable", "no_token", "not_understood"]


Finding: TypeAlias = Report | Answered | ForOperator | Ignored | Unclear


def sort(raw: bytes, address: ReturnAddress | None, signer: LinkSigner, *, null_sender: bool) -> Finding:
    """Say what a mail is. `address` None: it came to the operator (abuse@, postmaster@), or out of a file.

    `null_sender`: its envelope has the null reverse-path, as a notification's must (RFC 5321 section 4.5.5).
    """
    try:
        mail = read(raw)
    except Unreadable:
        return _unreadable(address, null_sender=null_sender)
    named = address.delivery if address else delivery_within(mail.raw, signer)
    about = feedback.meaning(mail)
    if about is not None:
        return _complaint(about, named)
    if address is not None and address.purpose == "unsubscribe":
        return _unsubscribe(mail, address.delivery, null_sender=null_sender)
    return _bounce(mail, named, null_sender=null_sender) or _letter(address, null_sender=null_sender)


def _letter(address: ReturnAddress | None, *, null_sender: bool) -> Finding:
    """Say whom a mail is for that reports nothing."""
    if address is None:
        return ForOperator()
    if address.purpose == "complaint" or null_sender:
        return Unclear("not_understood")
    return Answered(address.delivery)


def _unreadable(address: ReturnAddress | None, *, null_sender: bool) -> Finding:
    """Whoever asked by a mail to an address for it that no more be sent has asked, however it is written."""
    if address is not None and address.purpose == "unsubscribe" and not null_sender:
        return Report("unsubscribe", address.delivery)
    return Unclear("unreadable")


def _complaint(about: feedback.Meaning, named: TokenContent | None) -> Finding:
    match about:
        case "nothing":
            return Ignored("not_spam")
        case "other":
            return ForOperator()
        case _:
            return Report(about, named) if named else Unclear("no_token")


def _unsubscribe(mail: Mail, delivery: TokenContent, *, null_sender: bool) -> Finding:
    """Take a mail to this address for the one thing that it can mean, unless a server wrote it."""
    if null_sender or notices.status_of(mail) is not None:
        return Ignored("automatic")
    return Report("unsubscribe", delivery)


def _bounce(mail: Mail, named: TokenContent | None, *, null_sender: bool) -> Finding | None:
    notice = notices.status_of(mail)
    if notice is None:
        answer = answers.answer_of(mail)
        # Servers of old call their bounces auto-replied, too.
        if answer != "challenge" and (answer is None or notices.is_of_server(mail)):
            notice = notices.older_notice(mail, null_sender=null_sender)
        if notice is None and answer is not None:
            return Report("bounce", named, Bounce(answer, answer)) if named else None
    if notice is None:
        return None
    if notice.action == notices.FAILED:
        return Report("bounce", named, notices.judge(notice)) if named else Unclear("no_token")
    return Ignored("delayed" if notice.action == notices.DELAYED else "delivered")
