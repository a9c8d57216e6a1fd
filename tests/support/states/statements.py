"""Every call of a worker's own statements, in one place: what changes in the queue or the ledger is changed here."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from uuid import UUID

import asyncpg

from core.clock import Clock
from delivery import lease as leases
from delivery.lease import Lease
from delivery.ledger import Intended, Ledger, Outcome, Refusal, record
from delivery.queue import Claim, Queue, Successor
from delivery.retry import RetrySchedule
from delivery.slices import Triage, triage

POOL = "bulk"
SITES = (1, 2)
LEASE_SECONDS = 45.0
FINAL_DOT_SECONDS = 60.0
RETRY = RetrySchedule(first=300.0, cap=600.0, total=1_500.0)
JITTER = 0.5

__all__ = ["Claim", "Outcome", "Refusal", "Statements", "Successor"]


class Fault(Exception):  # noqa: N818 - what ends a process, whatever it is
    """Stands for any exception that ends a worker in the middle of its work."""


class Statements:
    """What one process may ask of the database, each call one statement of the service's own."""

    def __init__(self, main: asyncpg.Pool, clock: Clock, owner: UUID, slot: int) -> None:
        self._main = main
        self._clock = clock
        self._owner = owner
        # It beats when it is told to, and never by itself.
        self._lease = Lease(main, clock, owner=owner, pool=POOL, slot=slot, seconds=LEASE_SECONDS, beat=1e6)
        self._queue = Queue(main, owner, POOL)
        self._ledger = Ledger(main, owner, clock)

    async def register(self) -> None:
        await self._lease._register()

    async def beat(self) -> bool:
        return bool(await self._main.fetchval(leases.SQL["beat"], self._owner, LEASE_SECONDS))

    async def leave(self, *, fault: bool) -> None:
        """End as a process does: its work done, or by an exception in the middle of it."""
        with suppress(Fault):
            # Entering finds the registration there, as after a lost answer; what counts is how it is left.
            async with self._lease.kept():
                if fault:
                    raise Fault

    async def claim(self, *, mixed: bool, sites: Collection[int]) -> Claim | None:
        return next(iter(await self._queue.claim(mixed=mixed, sites=list(sites))), None)

    async def history(self, claim: Claim) -> Triage:
        """Sort the claim's recipients by what was done about them."""
        waiting = (await self._queue.recipients([claim]))[claim.chunk_id]
        return triage(waiting, RETRY, resend_uncertain=claim.resend_uncertain, jitter=JITTER)

    async def omit(self, run_id: UUID, seqs: Sequence[int]) -> None:
        await self._ledger.omit(run_id, seqs, "erased")

    async def intend(self, messages: Sequence[Intended], *, again: bool = False) -> dict[int, Refusal]:
        return await self._ledger.ask(messages, again=again)

    async def record(self, outcomes: Sequence[Outcome]) -> int:
        return await record(self._main, self._owner, outcomes, now=self._clock.monotonic())

    async def end(self, claim: Claim, handed_on: Sequence[Successor], attempts: int) -> bool:
        return await self._queue.end(claim, handed_on, attempts)

    async def split(self, claim: Claim, stay: Sequence[int], handed_on: Sequence[Successor]) -> bool:
        return await self._queue.split(claim, stay, handed_on)

    async def give_back_strays(self, known: Collection[int]) -> None:
        await self._queue.give_back_strays(known)

    async def held_runs(self, run_ids: Collection[UUID]) -> set[UUID]:
        return await self._queue.held_runs(run_ids)
