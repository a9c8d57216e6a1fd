"""Which chunks a worker claims, and when: enough to keep its connections busy, and what nothing is in hand of at once.

Failure model. A claim whose answer is lost may have leased a chunk that we do not know of: before the next claim such
strays are given back. Opening may be repeated, and is until it comes about; a claim is either being opened
(`opened`), in the workload, or ended.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypedDict
from uuid import UUID

from core import logs
from core.database import AWAY, with_retry
from delivery.assignment import Assignment
from delivery.lease import Lease
from delivery.ledger import Ledger
from delivery.measures import Measures
from delivery.opening import Opening
from delivery.outlets import Outlets
from delivery.queue import Claim, Queue, WaitingSite
from delivery.retry import RetrySchedule
from delivery.workload import Workload

IDLE_SECONDS = 0.1
SITES_SECONDS = 1.0
CLAIM_BELOW = 1_000
"""Messages that can be sent at once, below which another chunk of a run in hand is claimed: they bridge its reading."""
OPENED_AT_ONCE = 32
"""Claims opened at once: a hundred campaigns due at one instant would wait for each other's round trips."""
READ_AT_ONCE = 1_000
"""Recipients read together: many small chunks, or one large one."""
BACKLOG_LIMIT = 10_000
SOUGHT_LIMIT = 5_000
"""Messages whose route is being looked for, above which nothing more is claimed."""

log = logs.get()


class Wish(TypedDict):
    """What a worker asks `Queue.claim` for."""

    mixed: bool
    sites: Sequence[int]
    besides: set[UUID]
    most: int


def together(claims: Sequence[Claim]) -> list[list[Claim]]:
    """Part claims into those that are opened together: at most READ_AT_ONCE recipients, or one chunk."""
    parts: list[list[Claim]] = []
    room = 0
    for claim in claims:
        if claim.size > room:
            parts.append([])
            room = READ_AT_ONCE
        parts[-1].append(claim)
        room -= claim.size
    return parts


class Claiming:
    """One per dispatcher. `random` returns a float in [0, 1); `on_opened` is called when a claim was opened."""

    def __init__(
        self,
        *,
        queue: Queue,
        opening: Opening,
        workload: Workload,
        assignment: Assignment,
        outlets: Outlets,
        ledger: Ledger,
        lease: Lease,
        measures: Measures,
        retry: RetrySchedule,
        random: Callable[[], float],
        opened_at_once: int,
        start: Callable[[Coroutine[Any, Any, None]], object],
        on_opened: Callable[[], None],
    ) -> None:
        self.waiting_sites: Sequence[WaitingSite] = ()
        """Sites that chunks wait for, as last seen."""
        self.opened: dict[int, Claim] = {}
        """Claims that are being opened, by chunk."""
        self._queue = queue
        self._opening = opening
        self._workload = workload
        self._assignment = assignment
        self._outlets = outlets
        self._ledger = ledger
        self._lease = lease
        self._measures = measures
        self._retry = retry
        self._random = random
        self._opened_at_once = opened_at_once
        self._start = start
        self._on_opened = on_opened

    async def run(self) -> None:
        """Claim as long as the workload does not stop."""
        stray = False
        while not self._workload.stopping:
            wish = self._wish()
            if wish is None:
                await asyncio.sleep(IDLE_SECONDS / 4)
                continue
            try:
                if stray:
                    await self._queue.give_back_strays([*self._workload.slices, *self.opened])
                    stray = False
                claims = await self._queue.claim(**wish)
            except AWAY as error:
                # Its answer may be lost, not the claim: what we do not know of is given back first.
                stray = True
                log.warning("claim_failed", error=type(error).__name__)
                await asyncio.sleep(0.5)
                continue
            if not claims:
                await asyncio.sleep(IDLE_SECONDS * (0.5 + self._random()))
            self._measures.claimed.inc(len(claims))
            self.opened |= {claim.chunk_id: claim for claim in claims}
            for some in together(claims):
                self._start(self._open(some))

    async def watch_sites(self) -> None:
        """Know which sites chunks wait for, until cancelled."""
        while True:
            try:
                self.waiting_sites = await self._queue.waiting_sites(self._retry.total)
            except AWAY as error:
                log.warning("watch_failed", error=type(error).__name__)
            await asyncio.sleep(SITES_SECONDS * (0.5 + self._random()))

    def waits_for(self, site_id: int) -> int:
        """Return whether chunks wait for a site, as a count: 0 or 1."""
        return sum(site.site_id == site_id for site in self.waiting_sites)

    async def _open(self, claims: Sequence[Claim]) -> None:
        opened = await with_retry(partial(self._opening.open, claims), what="open_chunks")
        for claim in claims:
            del self.opened[claim.chunk_id]
        for one in opened:
            self._assignment.take_in(one)
        self._on_opened()

    def _wish(self) -> Wish | None:
        """Return what is to be claimed, None if nothing is.

        With enough in hand only runs that nothing is in hand of are claimed from: a small campaign due beside a large
        one begins now, and not behind the thousand messages of the large one's chunk.
        """
        load, free = self._workload, self._opened_at_once - len(self.opened)
        too_much = self._ledger.backlog > BACKLOG_LIMIT or self._assignment.sought > SOUGHT_LIMIT
        if too_much or free <= 0 or not self._lease.alive():
            return None
        mixed = load.waiting < BACKLOG_LIMIT and not (load.slices and self._outlets.all_failing)
        wish = Wish(mixed=mixed, sites=(), besides={claim.run_id for claim in self.opened.values()}, most=1)
        soon = sum(claim.size for claim in self.opened.values())
        if self._outlets.ready(load.active) + soon >= CLAIM_BELOW:
            wish["besides"] |= load.runs
            wish["most"] = free
        if self.waiting_sites:
            wish["sites"] = self._outlets.claimable(self.waiting_sites, self._assignment.in_hand)
        return wish if wish["mixed"] or wish["sites"] else None
