"""The kinds of letters, and the law of each: who may get it. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Kind(StrEnum):
    """What a letter is for; the database holds the same list."""

    CONFIRM = "confirm"
    ALREADY_MEMBER = "already_member"
    SIGN_IN = "sign_in"
    CONFIRM_NEW_ADDRESS = "confirm_new_address"
    ADDRESS_CHANGING = "address_changing"
    ERASE = "erase"
    FAILED_LOG_INS = "failed_log_ins"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a kind of letter


_MAILED = frozenset({None, "paused"})
_LEFT = _MAILED | {"unsubscribed"}

ALLOWED: Mapping[Kind, frozenset[str | None]] = MappingProxyType(
    {
        # Somebody asks for mail anew: what only they themselves had ended is no reason not to ask them.
        Kind.CONFIRM: _LEFT | {"pending", "erased"},
        Kind.ALREADY_MEMBER: _MAILED,
        # Who left the lists still may see, take out and erase what is held on them.
        Kind.SIGN_IN: _LEFT,
        Kind.ERASE: _LEFT,
        Kind.ADDRESS_CHANGING: _LEFT,
        Kind.FAILED_LOG_INS: _LEFT,
        Kind.PASSWORD_CHANGED: _LEFT,
        # It goes elsewhere: that mail to the old address came back is why it is asked for.
        Kind.CONFIRM_NEW_ADDRESS: _LEFT | {"bounced"},
    }
)
"""By kind, the reasons not to mail a member (app.reach: a status or a suppression) in spite of which it is sent.

None: nothing speaks against it. Whoever complained, or was suppressed by hand, gets none whatever it is.
"""

TO_NEW_ADDRESS = frozenset({Kind.CONFIRM_NEW_ADDRESS})
"""Kinds that go to the address that a member wants to have, not to the one that they have."""
