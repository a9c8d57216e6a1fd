"""One mail transaction as a state machine over replies; pure (RFC 5321 section 3.3, RFC 2920)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

from delivery.envelope import Envelope
from delivery.replies.reply import Command, Reply, parse_reply
from delivery.smtp.errors import Failure, NotStarted, Obstacle, OutcomeUnknown, Unsendable
from delivery.smtp.outgoing import Outcome

END_OF_DATA = b".\r\n"
START_INPUT = 354
CLOSING = 421

# A local part that needs no quotes (RFC 5321 section 4.1.2, RFC 6531 section 3.3), one that would but for its dots
# (Japanese carriers gave out "taro..o." and the like), and one that has them; then a domain or an address literal.
_ATEXT = r"""[^\s\x00-\x1f\x7f-\x9f"(),:;<>@\[\]\\.]"""
_DOT_ATOM = rf"{_ATEXT}+(?:\.{_ATEXT}+)*"
_LOOSE_DOTS = rf"(?:{_ATEXT}|\.)+"
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f-\x9f\u2028\u2029]|\\[\x20-\x7e])*"'
_DOMAIN = r"(?:[\w-]+(?:\.[\w-]+)*|\[[\w.:]+\])"
_MAILBOX = re.compile(rf"(?:{_DOT_ATOM}|(?P<loose>{_LOOSE_DOTS})|{_QUOTED})@(?P<domain>{_DOMAIN})")
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 section 4
_PATH_LIMIT = 254  # octets, RFC 5321 section 4.5.3.1.3 less the angle brackets


@dataclass(frozen=True, slots=True)
class Offers:
    """The extensions of a peer that a transaction makes use of; `size_limit` in octets, None where none is stated."""

    size: bool = False
    size_limit: int | None = None
    eight_bit: bool = False
    smtputf8: bool = False

    @classmethod
    def of(cls, extensions: Mapping[str, str]) -> "Offers":
        """Read an EHLO reply's keywords, in lower case, with their parameters."""
        stated = _SIZE.fullmatch(extensions.get("size", "").strip())
        return cls(
            size="size" in extensions,
            # RFC 1870 section 4: nought stands for no fixed limit.
            size_limit=(int(stated[0]) or None) if stated else None,
            eight_bit="8bitmime" in extensions,
            smtputf8="smtputf8" in extensions,
        )


def commands(envelope: Envelope, offers: Offers) -> tuple[bytes, bytes]:
    """Return the MAIL and RCPT commands without line ends; raises Unsendable.

    A local part whose dots stand where no dot may is quoted, as the grammar wants it.
    """
    message = envelope.message
    parameters = ""
    if offers.size:
        if offers.size_limit is not None and len(message) > offers.size_limit:
            raise Unsendable(Obstacle.TOO_LARGE)
        parameters = f" SIZE={len(message)}"
    if envelope.smtputf8:
        if not offers.smtputf8:
            raise Unsendable(Obstacle.SMTPUTF8)
        # RFC 6531 section 3.1: whoever offers SMTPUTF8 offers 8BITMIME.
        parameters += " BODY=8BITMIME SMTPUTF8"
    elif not message.isascii():
        if not offers.eight_bit:
            raise Unsendable(Obstacle.EIGHT_BIT)
        parameters += " BODY=8BITMIME"
    sender = _path(envelope.return_path, Obstacle.RETURN_PATH, envelope) if envelope.return_path else ""
    recipient = _path(envelope.recipient, Obstacle.RECIPIENT, envelope)
    return f"MAIL FROM:<{sender}>{parameters}".encode(), f"RCPT TO:<{recipient}>".encode()


def _path(address: str, obstacle: Obstacle, envelope: Envelope) -> str:
    found = _MAILBOX.fullmatch(address)
    if found is None or len(address.encode()) > _PATH_LIMIT:
        raise Unsendable(obstacle)
    if not envelope.smtputf8 and not address.isascii():
        raise Unsendable(Obstacle.SMTPUTF8)
    if found["loose"]:
        return f'"{found["loose"]}"@{found["domain"]}'
    return address


def stuffed(message: bytes) -> bytes:
    """Return `message` as it goes over the wire, ended (RFC 5321 section 4.5.2); raises Unsendable.

    Lines end in CRLF by the envelope's contract; looking for a bare CR or LF here would cost as much as all the rest.
    """
    if not message.endswith(b"\r\n"):
        raise Unsendable(Obstacle.UNFINISHED)
    # Base64 has no dots, and the last dot of all is found 20 times as fast as the first one at a line's start.
    if message.find(b"\r\n.", 0, message.rfind(b".") + 1) >= 0:
        message = message.replace(b"\r\n.", b"\r\n..")
    dot = b"." if message.startswith(b".") else b""
    return b"%b%b%b" % (dot, message, END_OF_DATA)


class Step(Enum):
    """What the connection is to do after a reply."""

    WAIT = "wait"
    # The 354 has come: the body may be written.
    BODY_DUE = "body_due"
    # 354 though every recipient was refused: end it at once (RFC 2920 section 3.1).
    WRITE_NOTHING = "write_nothing"
    DONE = "done"


class OutOfOrder(ValueError):  # noqa: N818
    """A reply that the command can't draw; whose it was can't be known any more."""


Phase: TypeAlias = Literal["RSET", "MAIL", "RCPT", "DATA", "BODY"]

_NEXT: dict[Phase, Phase] = {"RSET": "MAIL", "MAIL": "RCPT", "RCPT": "DATA"}


class Transaction:
    """Follows the replies to MAIL, RCPT, DATA and the body, with an RSET before them where one is due.

    `phase` is the command whose reply comes next, `result` the reply that decides: the first refusal, since what
    follows it only says that there is no recipient. Set `begun` when the body's first byte goes out.
    """

    __slots__ = ("_mail_taken", "begun", "phase", "result")

    def __init__(self, *, reset: bool = False) -> None:
        self.phase: Phase = "RSET" if reset else "MAIL"
        self.result: Reply | None = None
        self.begun = False
        self._mail_taken = False

    @property
    def open(self) -> bool:
        """Whether the peer still holds the envelope, so that an RSET must come before the next MAIL."""
        return self._mail_taken and self.phase != "BODY"

    def cut_off(self, failure: Failure) -> Outcome:
        """Return what the message has come to if no more replies come."""
        if self.begun:
            return OutcomeUnknown(failure)
        return NotStarted(failure) if self.result is None else self.result

    def receive(self, code: int, text: bytes) -> Step:
        """Take the next reply; raises OutOfOrder."""
        if code == CLOSING:
            self._decide(code, text)
            return Step.DONE
        if self.phase == "DATA":
            return self._after_data(code, text)
        if 300 <= code <= 399:  # noqa: PLR2004
            raise OutOfOrder("an intermediate reply")
        if self.phase == "BODY":
            self._decide(code, text)
            return Step.DONE
        if code >= 400:  # noqa: PLR2004
            if self.phase == "RSET":
                raise OutOfOrder("RSET was refused")
            self._decide(code, text)
        elif self.phase == "MAIL":
            self._mail_taken = True
        self.phase = _NEXT[self.phase]
        return Step.WAIT

    def _after_data(self, code: int, text: bytes) -> Step:
        if code == START_INPUT:
            self.phase = "BODY"
            return Step.BODY_DUE if self.result is None else Step.WRITE_NOTHING
        if code < 400:  # noqa: PLR2004
            raise OutOfOrder("DATA was neither begun nor refused")
        self._decide(code, text)
        return Step.DONE

    def _decide(self, code: int, text: bytes) -> None:
        if self.result is None:
            # A reply to RSET can only be a 421: it is the start of this transaction that it refuses.
            command: Command = "MAIL" if self.phase == "RSET" else self.phase
            self.result = parse_reply(command, code, text.decode("utf-8", "replace"))
