"""The queue's edge to Postgres: claim a chunk, load its recipients, end it and hand on what is left."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "queue.sql")


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk that is ours until it is ended, with what is needed of its run."""

    chunk_id: int
    run_id: UUID
    account_id: UUID
    content_id: UUID
    kind: str
    resend_uncertain: bool
    epoch: int
    first_seq: int
    last_seq: int
    seqs: tuple[int, ...] | None
    size: int

    @property
    def fresh(self) -> bool:
        """Whether nobody worked on it before, so that its recipients have no history."""
        return self.epoch == 1 and self.seqs is None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recipient of a chunk and what was done about it so far; ages in seconds."""

    seq: int
    member_id: UUID
    tries: int = 0
    outcome: str | None = None
    deferrals: int = 0
    since_last: float = 0.0
    since_first: float = 0.0
    omitted: bool = False


@dataclass(frozen=True, slots=True)
class Successor:
    """Recipients handed on to a chunk of their own, due in `delay` seconds (0: at once)."""

    seqs: tuple[int, ...]
    delay: float


class Queue:
    """Statements of the queue, for one owner."""

    def __init__(self, main: asyncpg.Pool, owner: UUID, pool: str) -> None:
        self._main = main
        self._owner = owner
        self._pool = pool

    async def claim(self) -> Claim | None:
        """Lease the next chunk by fairness, or None if nothing can be claimed now."""
        row = await self._main.fetchrow(SQL["claim"], self._owner, self._pool)
        if row is None:
            return None
        fields: dict[str, Any] = dict(row)
        fields["seqs"] = tuple(row["seqs"]) if row["seqs"] is not None else None
        return Claim(**fields)

    async def recipients(self, claim: Claim) -> list[Waiting]:
        """Return the claim's recipients in order of their sequence numbers."""
        if claim.fresh:
            rows = await self._main.fetch(SQL["fresh_recipients"], claim.run_id, claim.first_seq, claim.last_seq)
            return [Waiting(row["seq"], row["member_id"]) for row in rows]
        rows = await self._main.fetch(
            SQL["recipients_with_history"], claim.run_id, claim.first_seq, claim.last_seq, claim.seqs
        )
        return [Waiting(**dict(row)) for row in rows]

    async def end(self, claim: Claim, successors: Sequence[Successor], attempts: int) -> bool:
        """End the claim; False if it was no longer ours. May be repeated after a lost answer."""
        row = await self._main.fetchrow(
            SQL["end_chunk"],
            self._owner,
            claim.chunk_id,
            claim.epoch,
            attempts,
            [min(s.seqs) for s in successors],
            [max(s.seqs) for s in successors],
            # Arrays of arrays must be rectangular, so each list crosses as an array literal.
            ["{" + ",".join(map(str, s.seqs)) + "}" for s in successors],
            [float(s.delay) for s in successors],
        )
        return row is not None and (row["ended"] == 1 or row["was_done"])

    async def held_runs(self, run_ids: Collection[UUID]) -> set[UUID]:
        """Return those of `run_ids` that are not running (pausing, cancelling, ended)."""
        return {row["run_id"] for row in await self._main.fetch(SQL["held_runs"], list(run_ids))}

    async def give_back_strays(self, known: Collection[int]) -> None:
        """Free chunks that a claim with a lost answer has leased to us."""
        await self._main.execute(SQL["give_back_strays"], self._owner, list(known))

    async def note_first(self, run_id: UUID, age: float) -> None:
        """Record that the run's first message was accepted `age` seconds ago, unless one is recorded."""
        await self._main.execute(SQL["note_first"], run_id, age)
