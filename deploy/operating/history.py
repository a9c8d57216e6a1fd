"""The whole story of one delivery: its place in the snapshot, each try, what came back, what it waits for now."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from core import ids, sql
from core.errors import InvalidInput, NotFound
from deploy.operating import names, restrictions, spans
from deploy.operating.names import RELAYED
from deploy.operating.restrictions import Imposed
from members.scopes import shown_scope

SQL = sql.load(__package__ or "", "history.sql")

_FORM = re.compile(r"(run_[0-9a-z]+)/([1-9][0-9]{0,8})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: leave to send, and what came of it, None while that is not known."""

    number: int
    intended_at: datetime
    worker: str | None
    outcome: str | None
    code: int | None
    reason: str | None
    detail: str | None
    at: datetime | None
    source: str | None
    site: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """The chunk that it waits in. `worker` has it in hand, or None; `due_in` in seconds."""

    chunk_id: int
    why: str
    site_id: int | None
    provider: str | None
    held_since: datetime | None
    worker: str | None
    due_in: float


@dataclass(frozen=True, slots=True)
class Story:
    """What the tables say. `facts` is the snapshot's row with its run's; events and stops as they are stored.

    But for the scopes of stops, which are as they are shown. `restrictions` are those in force that may concern it
    where it waits.
    """

    facts: dict[str, Any]
    tries: Sequence[Try]
    events: Sequence[dict[str, Any]]
    stops: Sequence[dict[str, Any]]
    omission: dict[str, Any] | None
    place: Place | None
    restrictions: Sequence[Imposed]

    @property
    def outcome(self) -> str:
        """What became of it so far, in the words of the API's deliveries."""
        last = next((one for one in reversed(self.tries) if one.outcome != "released"), None)
        if last is not None and last.outcome in {"accepted", "failed"}:
            return last.outcome
        if self.omission is not None:
            return "suppressed"
        if last is not None and last.outcome == "uncertain":
            return "uncertain"
        if self.facts["state"] == "cancelled":
            return "cancelled"
        if last is None:
            return "waiting"
        return last.outcome or "sending"

    @property
    def waits_for(self) -> list[str]:
        """What it waits for now, in plain words, the nearest cause last; empty if nothing more will happen."""
        final = {"accepted", "failed", "suppressed", "cancelled"}
        if self.outcome in final or self.facts["state"] == "finished":
            return []
        if self.outcome == "uncertain" and not self.facts["resend_uncertain"]:
            return []
        if self.place is None:
            return ["its chunk: the run is not cut so far, or has just ended"]
        if self.place.worker is not None:
            return [f"nothing: {self.place.worker} has it in hand"]
        restricted = [f"{one.where}: {one.what} ({one.why})" for one in self.restrictions]
        return [*self._run_holds(), *restricted, *_due(self.place)] or ["a worker to claim it"]

    def _run_holds(self) -> list[str]:
        state, resume_at = self.facts["state"], self.facts["resume_at"]
        if state == "scheduled":
            return ["the start of its run"]
        if state != "running":
            until = "" if resume_at is None else f" until {resume_at:%Y-%m-%d %H:%M:%S} UTC"
            return [f"its campaign, which is {state}{until}"]
        waits = self.facts["lane_waits"]
        return [f"its campaign's rate, for {spans.shown(waits)}"] if waits > 0 else []

    def to_json(self) -> dict[str, Any]:
        """Return it for --json: ids as they are shown, times in RFC 3339."""
        facts = self.facts
        return {
            "campaign": facts["campaign_id"] and ids.encode("cmp", facts["campaign_id"]),
            "run": ids.encode("run", facts["run_id"]),
            "seq": facts["seq"],
            "snapshot": facts["snapshot"],
            "member": ids.encode("mem", facts["member_id"]),
            "site": facts["site_id"],
            "provider": facts["provider"],
            "state": self.outcome,
            "run_state": facts["state"],
            "tries": [{name: getattr(one, name) for name in Try.__slots__} for one in self.tries],
            "events": list(self.events),
            "stops": list(self.stops),
            "omission": self.omission,
            "chunk": None if self.place is None else {name: getattr(self.place, name) for name in Place.__slots__},
            "waits_for": self.waits_for,
        }


def parse(delivery: str) -> tuple[UUID, int]:
    """Return the run and the sequence number that `run_…/17` names. Raises InvalidInput or NotFound."""
    found = _FORM.fullmatch(delivery.strip())
    if found is None:
        raise InvalidInput("A delivery is named by its run and seq, as GET /v1/runs/{id}/deliveries has them: run_…/17")
    return ids.decode("run", found[1]), int(found[2])


async def read(main: asyncpg.Pool, run_id: UUID, seq: int) -> Story:
    """Return the story of one delivery, all of it from one moment. Raises NotFound."""
    async with main.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        facts = await connection.fetchrow(SQL["delivery"], run_id, seq)
        if facts is None:
            raise NotFound("There is no such delivery; a run's snapshot begins with seq 1")
        tries = await connection.fetch(SQL["tries"], run_id, seq)
        events = await connection.fetch(SQL["events"], run_id, seq)
        stops = await connection.fetch(SQL["stops"], run_id, seq)
        omission = await connection.fetchrow(SQL["omission"], run_id, seq)
        chunk = await connection.fetchrow(SQL["chunk"], run_id, seq)
        held = await restrictions.in_force(connection)
    place = None if chunk is None else _place(chunk)
    return Story(
        facts=dict(facts),
        tries=[_try(row) for row in tries],
        events=[dict(row) for row in events],
        stops=[dict(row) | {"scope": shown_scope(row["scope"])} for row in stops],
        omission=None if omission is None else dict(omission),
        place=place,
        restrictions=[one for one in held if place is not None and one.site_id in {None, place.site_id or RELAYED}],
    )


def _try(row: asyncpg.Record) -> Try:
    return Try(
        number=row["try"],
        intended_at=row["intended_at"],
        worker=_worker(row),
        outcome=row["outcome"],
        code=row["code"],
        reason=row["reason"],
        detail=row["detail"],
        at=row["at"],
        source=row["source"],
        site=None if row["site_id"] is None else names.site(row["site_id"], row["provider"]),
    )


def _place(row: asyncpg.Record) -> Place:
    return Place(
        chunk_id=row["chunk_id"],
        why=row["why"],
        site_id=row["site_id"],
        provider=row["provider"],
        held_since=row["held_since"],
        worker=_worker(row) if row["state"] == "leased" else None,
        due_in=row["due_in"],
    )


def _worker(row: asyncpg.Record) -> str | None:
    return None if row["pool"] is None else f"{row['pool']} {row['slot']} on {row['host']}"


def _due(place: Place) -> list[str]:
    reasons = {
        "retry": "its next try",
        "site": f"room at {names.site(place.site_id, place.provider)}",
        "source": "a way out that may be used",
        "dns": "an answer from DNS",
    }
    if place.due_in > 0:
        return [f"{reasons.get(place.why, 'its time')}, in {spans.shown(place.due_in)}"]
    return [reasons[place.why]] if place.why in {"site", "source", "dns"} else []
