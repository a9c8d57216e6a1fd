"""How an account's list grows and decays: who came and went in each day, week or month of a zone, as mere numbers.

Counted in the transaction that changes a member, by triggers (core/schema/members/0023_growth.sql), as numbers a
quarter of an hour that name nobody: an erased member stays counted. Housekeeping makes totals of them
(0035_growth_totals.sql); a span is the difference of two. On the list is who is active or paused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from core import sql
from core.errors import Fault, InvalidInput
from members.spans import beginnings, floor, following

SQL = sql.load(__package__ or "", "growth.sql")

MOST_SPANS = 1_000
_QUARTER = 900

GrowthStep = Literal["day", "week", "month"]
_LENGTH = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=28)}


def _count(means: str) -> Any:  # a default as dataclasses.field gives it
    return field(default=0, metadata={"means": means})


@dataclass(frozen=True, slots=True)
class Growth:
    """What happened in one span; `active` is how many were on the list at its end."""

    at: datetime
    active: int
    joined: int = _count("Added one by one, with a consent or without a need to confirm")
    imported: int = _count("Added by an import")
    signed_up: int = _count("Signed up, and have to confirm")
    confirmed: int = _count("Confirmed their sign-up")
    returned: int = _count("Came back after they had left or bounced")
    unsubscribed: int = _count("Left, by themselves or through a complaint")
    complained: int = _count("Addresses suppressed by a complaint; their members are among those who left")
    bounced: int = _count("Stopped, since their address does not work")
    lapsed: int = _count("Removed before they had confirmed")
    erased: int = _count("Erased")


MEANINGS = {one.name: one.metadata["means"] for one in fields(Growth) if "means" in one.metadata}
"""What each count says."""


class GrowthStore:
    """Reads the growth of an account's list."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def read(
        self, account_id: UUID, since: datetime, until: datetime, step: GrowthStep, zone: ZoneInfo
    ) -> Sequence[Growth]:
        """Return each step of the zone from the one that holds `since` to before `until`, empty ones too.

        Raises InvalidInput if that is none or more than 1,000.
        """
        start = floor(since, step, zone)
        if start >= until or until - start > MOST_SPANS * _LENGTH[step]:
            detail = f"1 to {MOST_SPANS} steps, from since to before until"
            raise InvalidInput("There are no such steps", [Fault("/query/until", "range", detail)])
        begins = list(beginnings(start, until, step, zone))
        bounds = [_quarter(at) for at in [*begins, following(begins[-1], step, zone)]]
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            totals = {
                row["kind"]: row["totals"]
                for row in await connection.fetch(SQL["totals"], account_id, bounds, ["active", *MEANINGS])
            }
            for kind, place, count in await connection.fetch(SQL["not_yet_folded"], account_id, bounds):
                for later in range(place, len(bounds)):
                    totals[kind][later] += count
        return [
            Growth(
                at, totals["active"][place + 1], *(totals[kind][place + 1] - totals[kind][place] for kind in MEANINGS)
            )
            for place, at in enumerate(begins)
        ]


def _quarter(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp()) // _QUARTER
