"""A member's status: a closed state machine, held by the database too (core/schema/members/0003_ledger.sql).

    pending ──consent──▶ active ──▶ paused (until a time, then active of itself)
       │                 │  ▲  ▲       │
       └──▶ bounced ◀────┘  │  └───────┘
              │  └──────────┘ the address changed, or was taken off the suppression list
              └──▶ unsubscribed ──a newer consent──▶ active         (unsubscribed: from any other)

`erased` is no status but the end: the row is gone, its id stays in `erased`, and no row of that id can come back.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from core.errors import Fault, InvalidInput
from members.errors import StatusForbids

Status = Literal["pending", "active", "paused", "unsubscribed", "bounced"]

TRANSITIONS: Mapping[Status, frozenset[Status]] = MappingProxyType(
    {
        "pending": frozenset({"active", "unsubscribed", "bounced"}),
        "active": frozenset({"paused", "unsubscribed", "bounced"}),
        "paused": frozenset({"active", "unsubscribed", "bounced"}),
        "unsubscribed": frozenset({"active"}),
        "bounced": frozenset({"active", "pending", "unsubscribed"}),
    }
)

LONGEST_PAUSE = timedelta(days=3_660)


def present(status: Status, paused_until: datetime | None, now: datetime) -> Status:
    """Return the status as it counts now: a pause that is over is none."""
    return "active" if paused_until is not None and paused_until <= now else status


def after_change(
    status: Status,
    *,
    consents: bool,
    withdraws: bool,
    pause_until: datetime | None,
    resumes: bool,
    moves: bool,
    stands: bool,
    now: datetime,
) -> Status:
    """Return what a change makes of a member's status (as it counts now); raise StatusForbids or InvalidInput.

    At most one of `consents`, `withdraws`, `pause_until`, `resumes`. `moves`: to another address, on which an old
    bounce says nothing; `stands`: the last word on all mail is a consent.
    """
    if consents:
        return _moved(status, "active")
    if withdraws:
        return _moved(status, "unsubscribed")
    if pause_until is not None:
        return _paused(status, pause_until, now)
    if resumes and status == "paused":
        return _moved(status, "active")
    if moves and status == "bounced":
        return _moved(status, "active" if stands else "pending")
    return status


def _paused(status: Status, until: datetime, now: datetime) -> Status:
    if until.tzinfo is None or not now < until <= now + LONGEST_PAUSE:
        fault = Fault("/paused_until", "bad-time", f"A time with an offset, at most {LONGEST_PAUSE.days} days from now")
        raise InvalidInput("A pause ends in the future", [fault])
    return status if status == "paused" else _moved(status, "paused")


def _moved(status: Status, to: Status) -> Status:
    if to != status and to not in TRANSITIONS[status]:
        raise StatusForbids(f"A member who is {status} can't become {to}")
    return to
