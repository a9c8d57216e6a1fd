"""What a try came to: outcome, reason, and whether the member is to be mailed again at all."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

Outcome: TypeAlias = Literal["accepted", "deferred", "failed", "uncertain", "released"]

Kind: TypeAlias = Literal["hard", "soft", "policy", "protocol", "unknown"]
"""What is the trouble: the address, for good; the receiver, for now; we, as they see us; the dialogue; nobody knows."""


class Reason(StrEnum):
    """Why; closed, because reports, metrics and the database count by it."""

    ACCEPTED = "accepted"
    NO_SUCH_USER = "no_such_user"
    NO_SUCH_DOMAIN = "no_such_domain"
    # For good, and it is said neither that the address is gone nor that we are to blame.
    REFUSED = "refused"
    MAILBOX_DISABLED = "mailbox_disabled"
    MAILBOX_FULL = "mailbox_full"
    MESSAGE_TOO_LARGE = "message_too_large"
    THROTTLED = "throttled"
    GREYLISTED = "greylisted"
    SPAM = "spam"
    AUTHENTICATION = "authentication"
    REPUTATION = "reputation"
    POLICY = "policy"
    PROTOCOL = "protocol"
    UNAVAILABLE = "unavailable"
    TEMPORARY = "temporary"
    UNKNOWN = "unknown"
    # Ours, never read out of a reply:
    EXPIRED = "expired"
    CONNECTION_LOST = "connection_lost"
    UNSENDABLE = "unsendable"

    @property
    def kind(self) -> Kind:
        """Its class; of ACCEPTED, which is no trouble, it says nothing ("unknown")."""
        return _KINDS[self]


_KINDS: dict[Reason, Kind] = {
    Reason.NO_SUCH_USER: "hard",
    Reason.NO_SUCH_DOMAIN: "hard",
    Reason.REFUSED: "hard",
    Reason.MAILBOX_DISABLED: "hard",
    Reason.MAILBOX_FULL: "soft",
    Reason.MESSAGE_TOO_LARGE: "soft",
    Reason.THROTTLED: "soft",
    Reason.GREYLISTED: "soft",
    Reason.UNAVAILABLE: "soft",
    Reason.TEMPORARY: "soft",
    Reason.EXPIRED: "soft",
    Reason.SPAM: "policy",
    Reason.AUTHENTICATION: "policy",
    Reason.REPUTATION: "policy",
    Reason.POLICY: "policy",
    Reason.PROTOCOL: "protocol",
    Reason.UNSENDABLE: "protocol",
    Reason.UNKNOWN: "unknown",
    Reason.CONNECTION_LOST: "unknown",
    Reason.ACCEPTED: "unknown",
}

GONE = frozenset({Reason.NO_SUCH_USER, Reason.NO_SUCH_DOMAIN})
"""The only reasons that may suppress a member."""

STRIKES = frozenset(
    {Reason.REFUSED, Reason.MAILBOX_DISABLED, Reason.MAILBOX_FULL, Reason.UNAVAILABLE, Reason.TEMPORARY}
)
"""Reasons of a failure that is the mailbox's or its server's, and not for good, or not surely.

Several within a time stop a member (the account's `soft_bounces`). A throttle, or a message too large, is about us.
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`suppress` is true only where the outcome is `failed` for a reason in `GONE`."""

    outcome: Outcome
    reason: Reason
    suppress: bool = False


ACCEPTED = Verdict("accepted", Reason.ACCEPTED)
EXPIRED = Verdict("failed", Reason.EXPIRED)
UNSENDABLE = Verdict("failed", Reason.UNSENDABLE)
# DATA never began: no attempt was made.
RELEASED = Verdict("released", Reason.CONNECTION_LOST)
# DATA began and no final reply came: delivered or not, nobody can tell (RFC 1047).
UNCERTAIN = Verdict("uncertain", Reason.CONNECTION_LOST)
