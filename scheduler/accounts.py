"""What an account sets for all of its campaigns: when they and members are stopped, what is noted of readers."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from core import ids, sql
from core.audit import AuditLog, Detail
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
    """Reads and changes accounts. What is changed stands in the audit log, whose entries' ids `new_id` makes."""

    def __init__(self, main: asyncpg.Pool, new_id: Callable[[], UUID]) -> None:
        self._main = main
        self._audit = AuditLog(main, new_id)

    async def get(self, account_id: UUID) -> Account:
        """Return an account. Raises NotFound."""
        return _account(await self._main.fetchrow(SQL["get"], account_id))

    async def change(self, account_id: UUID, fields: AccountFields, *, revision: int, by: str) -> Account:
        """Replace an account's fields if it is still at `revision`; `by` is the actor of the audit log.

        Raises InvalidInput, NotFound, StaleRevision.
        """
        _require_valid(fields)
        fields = replace(fields, tracking_url=fields.tracking_url.rstrip("/"))
        values = (getattr(fields, name) for name in AccountFields.__dataclass_fields__)
        async with self._main.acquire() as connection, connection.transaction():
            present = _account(await connection.fetchrow(SQL["get"], account_id))
            row = await connection.fetchrow(SQL["change"], account_id, revision, *values)
            if row is None:
                raise StaleRevision("The account was changed since it was read")
            if told := _difference(present.fields, fields):
                shown = ids.encode("acc", account_id)
                await self._audit.record(account_id, by, "account.changed", shown, told, connection=connection)
        return _account(row)


def _difference(before: AccountFields, after: AccountFields) -> Detail:
    """Return what each changed field was and is; of a URL, whether there was and is one."""
    was, becomes = asdict(before), asdict(after)
    return {
        name: [bool(was[name]), bool(value)] if name == "tracking_url" else [was[name], value]
        for name, value in becomes.items()
        if was[name] != value
    }


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


def _account(row: asyncpg.Record | None) -> Account:
    if row is None:
        raise NotFound("There is no such account")
    fields = AccountFields(**{name: row[name] for name in AccountFields.__dataclass_fields__})
    return Account(row["account_id"], row["name"], fields, row["revision"], row["created_at"])
