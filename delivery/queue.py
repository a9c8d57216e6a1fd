"""The queue's edge to Postgres: claim a chunk, load its recipients, end it and hand on what is left."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "queue.sql")

Why = Literal["new", "rest", "retry", "site", "source", "dns"]
"""What a chunk waits for: its turn, a retry's time, room at its site, a way out, an answer from DNS."""


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
    site_id: int | None = None
    held_for: float | None = None
    """Seconds that all of it has waited for its site without an attempt."""

    @property
    def fresh(self) -> bool:
        """Whether nobody worked on it before, so that its recipients have no history."""
        return self.epoch == 1 and self.seqs is None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recipient of a chunk and what was done about it so far; ages in seconds."""

    seq: int
    member_id: UUID
    tag: int
    tries: int = 0
    outcome: str | None = None
    deferrals: int = 0
    since_last: float = 0.0
    since_first: float = 0.0
    omitted: bool = False


@dataclass(frozen=True, slots=True)
class Successor:
    """Recipients handed on to a chunk of their own, due in `delay` seconds (0: at once), and why they wait.

    `site_id`: the one site that all go to, None if that is not known; `held`: seconds that they wait untried already.
    """

    seqs: tuple[int, ...]
    delay: float
    why: Why = "rest"
    site_id: int | None = None
    held: float | None = None


class WaitingSite(NamedTuple):
    """A site that chunks wait for; `stale`: one of them has waited too long and is to be claimed whatever holds."""

    site_id: int
    provider: str | None
    stale: bool


class Queue:
    """Statements of the queue, for one owner."""

    def __init__(self, main: asyncpg.Pool, owner: UUID, pool: str) -> None:
        self._main = main
        self._owner = owner
        self._pool = pool

    async def claim(
        self, *, mixed: bool, sites: Sequence[int] = (), besides: Collection[UUID] = (), most: int = 1
    ) -> list[Claim]:
        """Lease the next chunks by fairness; none if nothing can be claimed now.

        `mixed`: chunks that are not sorted by site, at most `most`, each of another run and of none in `besides`;
        `sites`: those whose own chunks may be claimed, a few at a time.
        """
        rows = await self._main.fetch(SQL["claim"], self._owner, self._pool, mixed, list(sites), list(besides), most)
        return [_claim(row) for row in rows]

    async def recipients(self, claims: Sequence[Claim]) -> dict[int, list[Waiting]]:
        """Return the recipients of each claim, by chunk, in order of their sequence numbers."""
        found: dict[int, list[Waiting]] = {claim.chunk_id: [] for claim in claims}
        fresh = [claim for claim in claims if claim.fresh]
        if fresh:
            columns = zip(*((c.chunk_id, c.run_id, c.first_seq, c.last_seq) for c in fresh), strict=True)
            for chunk_id, *waiting in await self._main.fetch(SQL["fresh_recipients"], *map(list, columns)):
                found[chunk_id].append(Waiting(*waiting))
        for claim in claims:
            if not claim.fresh:
                rows = await self._main.fetch(
                    SQL["recipients_with_history"], claim.run_id, claim.first_seq, claim.last_seq, claim.seqs
                )
                found[claim.chunk_id] = [Waiting(**dict(row)) for row in rows]
        return found

    async def end(self, claim: Claim, successors: Sequence[Successor], attempts: int) -> bool:
        """End the claim; False if it was no longer ours. May be repeated after a lost answer."""
        row = await self._main.fetchrow(
            SQL["end_chunk"], self._owner, claim.chunk_id, claim.epoch, attempts, *_columns(successors)
        )
        return row is not None and (row["ended"] == 1 or row["was_done"])

    async def split(self, claim: Claim, stay: Sequence[int], successors: Sequence[Successor]) -> bool:
        """Hand a part of the claim on, so that only `stay` is left; False if it was no longer ours. May be repeated."""
        ours: bool = await self._main.fetchval(
            SQL["split_chunk"], self._owner, claim.chunk_id, claim.epoch, list(stay), *_columns(successors)
        )
        return ours

    async def waiting_sites(self, stale_after: float) -> list[WaitingSite]:
        """Return sites with chunks that could be claimed now, at most 100; `stale_after` in seconds."""
        rows = await self._main.fetch(SQL["waiting_sites"], self._pool, float(stale_after))
        return [WaitingSite(row["site_id"], row["provider"], row["stale"]) for row in rows]

    async def due_soon(self, within: float) -> list[UUID]:
        """Return runs that begin within so many seconds, the first ones."""
        return [row["run_id"] for row in await self._main.fetch(SQL["due_soon"], self._pool, within)]

    async def held_runs(self, run_ids: Collection[UUID]) -> set[UUID]:
        """Return those of `run_ids` that are not running (pausing, cancelling, ended)."""
        return {row["run_id"] for row in await self._main.fetch(SQL["held_runs"], list(run_ids))}

    async def give_back_strays(self, known: Collection[int]) -> None:
        """Free chunks that a claim with a lost answer has leased to us."""
        await self._main.execute(SQL["give_back_strays"], self._owner, list(known))

    async def note_first(self, run_id: UUID, age: float) -> None:
        """Record that the run's first message was accepted `age` seconds ago, unless one is recorded."""
        await self._main.execute(SQL["note_first"], run_id, age)


def _claim(row: asyncpg.Record) -> Claim:
    fields: dict[str, Any] = dict(row)
    fields["seqs"] = tuple(row["seqs"]) if row["seqs"] is not None else None
    return Claim(**fields)


def _columns(successors: Sequence[Successor]) -> list[list[Any]]:
    return [
        [min(s.seqs) for s in successors],
        [max(s.seqs) for s in successors],
        # Arrays of arrays must be rectangular, so each list crosses as an array literal.
        ["{" + ",".join(map(str, s.seqs)) + "}" for s in successors],
        [float(s.delay) for s in successors],
        [s.why for s in successors],
        [s.site_id for s in successors],
        [s.held for s in successors],
    ]
