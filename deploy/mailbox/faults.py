"""Which fault a recipient's local part asks for.

A sender is only as good as the failures it was tried against, so any address can name one: `bounce-550@`,
`defer-451-twice@`, `drop-after-dot@`. What follows a separator is free, so that thousands of different addresses can
share a fault: `bounce-550.0012@`, `slow+a@`.
"""

import re
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What happens to the mail; also the closed set of the metric's labels."""

    BOUNCE = "bounce"
    """5xx to RCPT."""
    DEFER = "defer"
    """4xx to RCPT, always or the first `times` times; 421 closes the connection as well."""
    DROP_IN_DATA = "drop-in-data"
    """The connection is cut after the first byte of the message; nothing is kept."""
    DROP_AFTER_DOT = "drop-after-dot"
    """The message is kept, then the connection is cut before the answer."""
    STALL = "stall"
    """The final dot is never answered; nothing is kept."""
    SLOW = "slow"
    """The final dot is answered late; the message is kept."""


@dataclass(frozen=True, slots=True)
class MailFault:
    """A fault with its SMTP code (bounce and defer) and how often it strikes an address (None = always)."""

    kind: FaultKind
    code: int | None = None
    times: int | None = None

    @property
    def reply(self) -> str:
        """The SMTP reply line of a bounce or a deferral (RFC 5321 section 4.2, RFC 3463)."""
        enhanced, text = _TEXTS.get(self.code or 0, (None, "Scripted reply"))
        return f"{self.code} {enhanced or f'{(self.code or 0) // 100}.0.0'} {text}"


_TIMES = {"once": 1, "twice": 2, "thrice": 3, None: None}

_FAULT = re.compile(
    r"""(?: bounce-(?P<bounce>5[0-9]{2})
          | defer-(?P<defer>4[0-9]{2}) (?: -(?P<times>once|twice|thrice) )?
          | (?P<plain>drop-in-data|drop-after-dot|stall|slow) )
        (?= [.+_@-] )""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)

_TEXTS: dict[int, tuple[str, str]] = {
    421: ("4.3.2", "Service not available, closing the connection"),
    450: ("4.2.0", "Mailbox busy, try again later"),
    451: ("4.3.0", "Temporary failure, try again later"),
    452: ("4.2.2", "Mailbox full, try again later"),
    550: ("5.1.1", "No such user here"),
    551: ("5.1.6", "User has moved"),
    552: ("5.2.2", "Mailbox full"),
    553: ("5.1.3", "Mailbox name not allowed"),
    554: ("5.7.1", "Rejected by policy"),
}


def parse_fault(address: str) -> MailFault | None:
    """Return the fault that the address's local part asks for, or None for an ordinary one."""
    found = _FAULT.match(address)
    if found is None:
        return None
    if found["bounce"]:
        return MailFault(FaultKind.BOUNCE, int(found["bounce"]))
    if found["defer"]:
        times = found["times"]
        return MailFault(FaultKind.DEFER, int(found["defer"]), _TIMES[times and times.lower()])
    return MailFault(FaultKind(found["plain"].lower()))
