"""The addresses at the return path's domain to which a mail's answers come, one of each kind a message.

    b+TOKEN   return path (RFC 5321 section 4.4): bounces, and whatever answers an envelope
    u+TOKEN   unsubscribe by mail (RFC 2369)
    c+TOKEN   complaints (RFC 9477, CFBL-Address)
    r+TOKEN   replies, where they pass through us

A token names the delivery and nothing personal; it can't be made up, so a stranger can answer for nobody. Local parts
keep their meaning where case is lost on the way.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from core.errors import NotFound, Tampered
from core.tokens import SLOT_COMPLAINT, SLOT_REPLY, SLOT_RETURN_PATH, LinkSigner, TokenContent

Purpose: TypeAlias = Literal["bounce", "unsubscribe", "complaint", "reply"]

# Who may unsubscribe by mail holds the whole mail, return path included: these two share their token.
_SLOTS: dict[Purpose, int] = {
    "bounce": SLOT_RETURN_PATH,
    "unsubscribe": SLOT_RETURN_PATH,
    "complaint": SLOT_COMPLAINT,
    "reply": SLOT_REPLY,
}
_PURPOSES: dict[str, Purpose] = {purpose[0]: purpose for purpose in _SLOTS}


@dataclass(frozen=True, slots=True)
class ReturnAddress:
    """What an authentic local part says: what is answered, and which delivery."""

    purpose: Purpose
    delivery: TokenContent


def local_part(purpose: Purpose, token: str) -> str:
    """Return the local part for a token of `purpose`."""
    return f"{purpose[0]}+{token}"


def read(local: str, signer: LinkSigner) -> ReturnAddress:
    """Return what a local part of ours says; raise NotFound for any other."""
    letter, plus, token = local.partition("+")
    purpose = _PURPOSES.get(letter.lower())
    if not plus or purpose is None:
        raise NotFound("No such address")
    try:
        return ReturnAddress(purpose, signer.open_from_address(token, _SLOTS[purpose]))
    except Tampered:
        raise NotFound("No such address") from None
