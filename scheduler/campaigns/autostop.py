"""Stops a campaign's run by itself when too many of its results are hard bounces, or too many complain of it.

The one is a list that nobody should mail, the other mail that nobody wants; receivers judge by both.

It pauses as if a person had asked, with the reason on its record and a notice in the same transaction. Whoever resumes
it has seen the figures: from there on they are watched anew, so that it does not stop again for the same bounces.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from core import ids, logs, outbox, sql
from core.ids import IdSource
from delivery.replies.verdict import Reason
from scheduler.meters import RUNS_STOPPED

SQL = sql.load(__package__ or "", "autostop.sql")

STOPPED = "campaign.stopped"

HARD = sorted(reason.value for reason in Reason if reason.kind == "hard")
"""Reasons of a failure that is the address's own fault."""

log = logs.get()


@dataclass(frozen=True, slots=True)
class Trip:
    """A run that is past one of its account's limits: figures since it was last resumed, if it ever was.

    `bounces` are hard ones, said at once or by mail; `complaints` are people. `most` and `most_complaints` are shares.
    """

    run_id: UUID
    account_id: UUID
    campaign_id: UUID
    watch_from_results: int
    most: float
    most_complaints: float
    results: int
    bounces: int
    accepted: int
    complaints: int

    @property
    def share(self) -> float:
        """How much of the results were hard bounces, from 0 to 1."""
        return self.bounces / self.results

    @property
    def reason(self) -> str:
        """The stop in plain words."""
        since = " since it was resumed" if self.watch_from_results else ""
        if self.share > self.most:
            return (
                f"stopped by itself: {self.bounces} of {self.results} results{since} were hard bounces"
                f" ({self.share * 100:.1f} %), the limit is {self.most * 100:g} %"
            )
        return (
            f"stopped by itself: {self.complaints} of {self.accepted} who got it{since} complained"
            f" ({self.complaints / self.accepted * 100:.2f} %), the limit is {self.most_complaints * 100:g} %"
        )

    def payload(self) -> dict[str, Any]:
        """Return what the notice says."""
        return {
            "run": ids.encode("run", self.run_id),
            "results": self.results,
            "hard_bounces": self.bounces,
            "complaints": self.complaints,
            "share": round(self.share, 4),
            "limit": self.most,
            "reason": self.reason,
        }


async def stop_bouncing(main: asyncpg.Pool, new_id: IdSource) -> int:
    """Pause every run that is past its account's limit, and tell of it; return how many this call paused."""
    stopped = 0
    for row in await main.fetch(SQL["tripped"], HARD):
        trip = Trip(**row)
        async with main.acquire() as connection, connection.transaction():
            if await connection.fetchval(SQL["stop"], trip.run_id, trip.watch_from_results, trip.reason) is None:
                continue
            await outbox.tell(
                connection,
                event_id=new_id(),
                account_id=trip.account_id,
                kind=STOPPED,
                subject_id=trip.campaign_id,
                payload=trip.payload(),
            )
        stopped += 1
        RUNS_STOPPED.inc()
        log.warning(
            "run_stopped_by_itself",
            run=str(trip.run_id),
            results=trip.results,
            hard_bounces=trip.bounces,
            complaints=trip.complaints,
        )
    return stopped
