"""Runs as they are read: one start of a campaign, its counts by the design's identity, and each of its deliveries.

accepted + failed + suppressed + cancelled + uncertain + waiting = snapshot, at every moment: all of a run's figures
are read in one snapshot of the database.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound
from scheduler.campaigns.states import FINAL, State

SQL = sql.load(__package__ or "", "runs.sql")


@dataclass(frozen=True, slots=True)
class Counts:
    """How many of the snapshot's recipients came to what. `failed` and `suppressed` are by reason."""

    snapshot: int
    accepted: int
    failed: Mapping[str, int]
    suppressed: Mapping[str, int]
    cancelled: int
    uncertain: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Run:
    """One start of a campaign. `left_out`: members of the audience that might not be sent to, by reason.

    `lateness` is in seconds, None before the start. `reason` says why an audience could not be had, or why the run was
    stopped or suspended; `resume_at` when a suspended one goes on by itself.
    """

    run_id: UUID
    account_id: UUID
    campaign_id: UUID
    kind: str
    state: State
    starts_at: datetime
    local_time: str | None
    time_zone: str | None
    audience_state: str
    left_out: Mapping[str, int]
    scheduled_at: datetime
    started_at: datetime | None
    first_sent_at: datetime | None
    finished_at: datetime | None
    lateness: float | None
    reason: str | None
    resume_at: datetime | None
    counts: Counts


class DeliveryState(StrEnum):
    """What became of one recipient so far."""

    WAITING = "waiting"
    SENDING = "sending"
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient of a run; `at` is when its last try ended, or began. `detail` holds no address."""

    seq: int
    member_id: UUID
    state: DeliveryState
    tries: int
    code: int | None
    reason: str | None
    detail: str | None
    at: datetime | None


class RunStore:
    """Reads runs; another account's run is NotFound."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def get(self, account_id: UUID, run_id: UUID) -> Run:
        """Return one run with its counts. Raises NotFound."""
        found = await self._read(SQL["get"], account_id, run_id)
        if not found:
            raise NotFound("There is no such run")
        return found[0]

    async def list(
        self, account_id: UUID, *, campaign_id: UUID | None = None, after: UUID | None = None, limit: int = 50
    ) -> Sequence[Run]:
        """Return at most `limit` runs in the order of their making, tests too, from the one that follows `after`."""
        return await self._read(SQL["list"], account_id, campaign_id, after, limit)

    async def deliveries(
        self, account_id: UUID, run_id: UUID, *, after: int = 0, limit: int = 50, uncertain_only: bool = False
    ) -> Sequence[Delivery]:
        """Return at most `limit` deliveries in order of their sequence numbers, from the one that follows `after`."""
        run = await self._main.fetchrow(SQL["get"], account_id, run_id)
        if run is None:
            raise NotFound("There is no such run")
        statement = SQL["uncertain_deliveries" if uncertain_only else "deliveries"]
        rows = await self._main.fetch(statement, run_id, after, limit)
        return [_delivery(row, State(run["state"])) for row in rows]

    async def _read(self, statement: str, *arguments: object) -> Sequence[Run]:
        # Repeatable read: tallies read later than the snapshot's size could add up to more than it.
        async with (
            self._main.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            rows = await connection.fetch(statement, *arguments)
            tallies = await connection.fetch(SQL["counts"], [row["run_id"] for row in rows])
        found: dict[UUID, _Tally] = {row["run_id"]: _Tally() for row in rows}
        for tally in tallies:
            found[tally["run_id"]].add(tally["kind"], tally["detail"], tally["total"])
        return [_run(row, found[row["run_id"]]) for row in rows]


@dataclass(slots=True)
class _Tally:
    accepted: int = 0
    uncertain: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    suppressed: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, detail: str, total: int) -> None:
        match kind:
            case "accepted":
                self.accepted += total
            case "uncertain":
                self.uncertain += total
            case "failed":
                self.failed[detail] = total
            case _:
                self.suppressed[detail] = total


def counts(
    state: State,
    *,
    snapshot: int,
    accepted: int,
    failed: Mapping[str, int],
    suppressed: Mapping[str, int],
    uncertain: int,
    resend_uncertain: bool,
) -> Counts:
    """Complete the identity: what is none of the counted kinds waits, or was cancelled with its run.

    Where uncertain ones are sent again, they wait until the run is over.
    """
    if resend_uncertain and state not in FINAL:
        uncertain = 0
    rest = snapshot - accepted - sum(failed.values()) - sum(suppressed.values()) - uncertain
    cancelled = state == State.CANCELLED
    return Counts(
        snapshot=snapshot,
        accepted=accepted,
        failed=failed,
        suppressed=suppressed,
        cancelled=rest if cancelled else 0,
        uncertain=uncertain,
        waiting=0 if cancelled else rest,
    )


def _run(row: asyncpg.Record, tally: _Tally) -> Run:
    state = State(row["state"])
    started_at = row["started_at"]
    return Run(
        run_id=row["run_id"],
        account_id=row["account_id"],
        campaign_id=row["campaign_id"],
        kind=row["kind"],
        state=state,
        starts_at=row["starts_at"],
        local_time=row["local_time"],
        time_zone=row["time_zone"],
        audience_state=row["audience_state"],
        left_out=row["left_out"],
        scheduled_at=row["scheduled_at"],
        started_at=started_at,
        first_sent_at=row["first_sent_at"],
        finished_at=row["finished_at"],
        lateness=(started_at - row["starts_at"]).total_seconds() if started_at else None,
        reason=row["reason"],
        resume_at=row["resume_at"],
        counts=counts(
            state,
            snapshot=row["snapshot"],
            accepted=tally.accepted,
            failed=tally.failed,
            suppressed=tally.suppressed,
            uncertain=tally.uncertain,
            resend_uncertain=row["resend_uncertain"],
        ),
    )


def _delivery(row: asyncpg.Record, state: State) -> Delivery:
    if row["omitted"] is not None:
        said, reason, at = DeliveryState.SUPPRESSED, row["omitted"], row["omitted_at"]
    else:
        said, reason, at = _outcome(row["outcome"], row["tries"], state), row["reason"], row["at"]
    return Delivery(row["seq"], row["member_id"], said, row["tries"], row["code"], reason, row["detail"], at)


def _outcome(outcome: str | None, tries: int, state: State) -> DeliveryState:
    if outcome in {"accepted", "failed", "uncertain"}:
        return DeliveryState(outcome)
    if state == State.CANCELLED:
        return DeliveryState.CANCELLED
    if outcome is None:
        return DeliveryState.SENDING if tries else DeliveryState.WAITING
    return DeliveryState(outcome)
