"""What members choose that takes no key: what is noted of their reading, how often they are written to at most."""

from uuid import UUID

from core import sql
from core.errors import Fault, InvalidInput, NotFound
from members.connection import Connection
from members.member import Tracking

SQL = sql.load(__package__ or "", "choices.sql")

MOST_DAYS = 366


async def set_tracking(connection: Connection, account_id: UUID, member_id: UUID, tracking: Tracking) -> None:
    """Say what may be noted of a member's reading from the next mail on; raise NotFound."""
    if await connection.fetchval(SQL["set_tracking"], account_id, member_id, tracking) is None:
        raise NotFound("No such member")


async def set_least_days(connection: Connection, account_id: UUID, member_id: UUID, days: int | None) -> None:
    """Let at least `days` lie between two campaigns' mails to a member, None: as many as there are. Raises NotFound."""
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise InvalidInput("So long a time can't be kept", [Fault("/least_days", "bad-days", f"1 to {MOST_DAYS} days")])
    if await connection.fetchval(SQL["set_least_days"], account_id, member_id, days) is None:
        raise NotFound("No such member")
