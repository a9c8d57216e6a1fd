"""Complaints as receivers report them: abuse reports (RFC 5965, RFC 6650). Their fields prove nothing."""

from typing import Literal, TypeAlias

from tracking.inbound.mail import Mail

Meaning: TypeAlias = Literal["complaint", "unsubscribe", "nothing", "other"]

_MEANINGS: dict[str, Meaning] = {
    "abuse": "complaint",
    "fraud": "complaint",
    "virus": "complaint",
    "opt-out": "unsubscribe",
    "opt-out-list": "unsubscribe",
    "not-spam": "nothing",
}


def meaning(mail: Mail) -> Meaning | None:
    """Return what an abuse report means, or None if the mail is none.

    "other": about no member, for the operator to read (`auth-failure`, kinds that nobody has registered).
    """
    if mail.report != "feedback-report" and not mail.blocks("message/feedback-report"):
        return None
    blocks = mail.blocks("message/feedback-report")
    return _MEANINGS.get(blocks[0].get("feedback-type").lower(), "other") if blocks else None
