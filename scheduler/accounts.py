"""What an account sets for all of its campaigns: when they and members are stopped, what is noted of readers."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Fault, InvalidInput, NotFound, StaleRevision
from core.settings import safe_tracker_url
from members.member import Tracking

SQL = sql.load(__package__ or "", "accounts.sql")

MOST_RESULTS = 1_000_000_000
MOST_BOUNCES = 100
MOST_DAYS = 366
LONGEST_URL = 200


@dataclass(frozen=True, slots=True)
class AccountFields:
    """Whether campaigns stop by themselves once more than `auto_stop_share` of their results are hard bounces.

    … or more than `auto_stop_complaints` of the accepted complain. Shares are above 0 and at most 1; nothing is judged
    by fewer than `auto_stop_after` results. A member is stopped after `soft_bounces` (0: never) in `soft_bounce_days`.
    `tracking` bounds what is noted of readers; `tracking_url` is where links lead, empty for the installation's;
    `honeypot`, whether mails hold a link that no reader sees, unless their campaign says otherwise.
    """

    auto_stop: bool
    auto_stop_share: float
    auto_stop_after: int
    auto_stop_complaints: float = 0.003
    soft_bounces: int = 3
    soft_bounce_days: int = 15
    tracking: Tracking = "full"
    tracking_url: str = ""
    honeypot: bool = True


@dataclass(frozen=True, slots=True)
class Account:
    """A client company as it is shown to itself."""

    account_id: UUID
    name: str
    fields: AccountFields
    revision: int
    created_at: datetime


class AccountStore:
    """Reads and changes accounts."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def get(self, account_id: UUID) -> Account:
        """Return an account. Raises NotFound."""
        row = await self._main.fetchrow(SQL["get"], account_id)
        if row is None:
            raise NotFound("There is no such account")
        return _account(row)

    async def change(self, account_id: UUID, fields: AccountFields, *, revision: int) -> Account:
        """Replace an account's fields if it is still at `revision`. Raises InvalidInput, StaleRevision."""
        _require_valid(fields)
        fields = replace(fields, tracking_url=fields.tracking_url.rstrip("/"))
        row = await self._main.fetchrow(
            SQL["change"], account_id, revision, *(getattr(fields, name) for name in AccountFields.__dataclass_fields__)
        )
        if row is None:
            await self.get(account_id)
            raise StaleRevision("The account was changed since it was read")
        return _account(row)


def _require_valid(fields: AccountFields) -> None:
    faults = []
    if not 0 < fields.auto_stop_share <= 1:
        faults.append(Fault("/auto_stop_share", "range", "The share must be above 0 and at most 1"))
    if not 0 < fields.auto_stop_complaints <= 1:
        faults.append(Fault("/auto_stop_complaints", "range", "The share must be above 0 and at most 1"))
    if not 0 <= fields.soft_bounces <= MOST_BOUNCES:
        faults.append(Fault("/soft_bounces", "range", f"The number must be from 0 to {MOST_BOUNCES}"))
    if not 1 <= fields.soft_bounce_days <= MOST_DAYS:
        faults.append(Fault("/soft_bounce_days", "range", f"The number must be from 1 to {MOST_DAYS}"))
    if not 1 <= fields.auto_stop_after <= MOST_RESULTS:
        faults.append(Fault("/auto_stop_after", "range", f"The number must be from 1 to {MOST_RESULTS}"))
    if len(fields.tracking_url) > LONGEST_URL or not fields.tracking_url.isascii():
        faults.append(Fault("/tracking_url", "length", f"The URL must have at most {LONGEST_URL} ASCII characters"))
    try:
        safe_tracker_url(fields.tracking_url)
    except ValueError as error:
        faults.append(Fault("/tracking_url", "invalid", f"It {error}"))
    if faults:
        raise InvalidInput("The account can't be set up so", faults)


def _account(row: asyncpg.Record) -> Account:
    fields = AccountFields(**{name: row[name] for name in AccountFields.__dataclass_fields__})
    return Account(row["account_id"], row["name"], fields, row["revision"], row["created_at"])
