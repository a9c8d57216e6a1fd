"""All outlets of one worker: which exist, what they may use, and how much of each site's mail to have in hand.

Several times a second the budgets are asked for, for all (source, site) pairs at once: wants go out with what was
learned (successes, failures), permits come back. Mail in hand beyond what its site takes in within a slice is handed
on to a chunk of that site at once, so that a slow destination delays nobody behind it.
"""

import asyncio
import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from core import logs
from core.clock import Clock
from core.database import AWAY
from delivery.freight import Freight
from delivery.lines import RELAYED, Line
from delivery.outlet import Outlet
from delivery.pacing.permits import Permits
from delivery.pacing.turns import Turns
from delivery.pacing.wants import Grant, Want
from delivery.queue import WaitingSite
from delivery.shaping import Limits, Shaping
from delivery.source import Source

ASK_SECONDS = 0.25
PLENTY = 1_000_000
UNASKED = 500
"""Messages of a site to have in hand before anything is known of it."""
LEAST = 1_000
"""… of one that takes them as fast as its connections go, at the least."""
AHEAD_SECONDS = 10.0
FAILING_SECONDS = 2.0
CAPPED_SECONDS = 60.0
IDLE_SECONDS = 5.0
"""How long permits are kept without work."""

log = logs.get()


class Outlets:
    """One per dispatcher. `start` runs a coroutine as long as the dispatcher lives."""

    def __init__(
        self,
        *,
        sources: Sequence[Source],
        shaping: Shaping,
        permits: Permits,
        freight: Freight,
        clock: Clock,
        random: Callable[[], float],
        slice_seconds: float,
        start: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        self.sources = sources
        self.direct = any(source.peer is None for source in sources)
        self._shaping = shaping
        self._permits = permits
        self._freight = freight
        self._clock = clock
        self._random = random
        self._slice_seconds = slice_seconds
        self._start = start
        self._outlets: dict[tuple[int, int], Outlet] = {}
        self._begun: dict[Outlet, int] = {}
        self._rated_at = clock.monotonic()
        self.changed = asyncio.Event()
        for source in sources:
            if source.peer is not None:
                self._outlet(source, RELAYED, None)

    @property
    def all(self) -> Sequence[Outlet]:
        """Those that exist now."""
        return tuple(self._outlets.values())

    @property
    def rest(self) -> float:
        """Seconds for which what can't be sent now is best left alone."""
        if all(source.allowance is not None and source.allowance.left <= 0 for source in self.sources):
            return CAPPED_SECONDS
        return FAILING_SECONDS if self.all_failing else 0.0

    def close(self) -> None:
        """End all connections."""
        for outlet in self._outlets.values():
            outlet.close()

    async def release(self) -> None:
        """Give up every permit and what is left of daily caps."""
        await self._permits.release_all()
        for source in self.sources:
            if source.allowance is not None:
                await source.allowance.return_rest()

    def serving(self, line: Line) -> list[Outlet]:
        """Return the outlets that take a line's messages, made if they are needed for the first time."""
        serving = []
        for source in self.sources:
            if source.peer is not None:
                serving.append(self._outlets[source.source_id, RELAYED])
            elif line.route is not None:
                serving.append(self._outlet(source, line.site_id, line.provider))
        return serving

    def _outlet(self, source: Source, site_id: int, provider: str | None) -> Outlet:
        outlet = self._outlets.get((source.source_id, site_id))
        if outlet is None:
            limits: Limits = source.limits or self._shaping.limits(provider)
            outlet = self._outlets[source.source_id, site_id] = Outlet(
                source,
                site_id=site_id,
                provider=provider,
                limits=limits,
                freight=self._freight,
                clock=self._clock,
                random=self._random,
                start=self._start,
            )
            self.changed.set()
        return outlet

    # --- how much to have in hand ---

    @property
    def all_failing(self) -> bool:
        """Whether no source is of any use just now."""
        now = self._clock.monotonic()
        relays = [o for o in self._outlets.values() if o.relays]
        return all(not s.able(now) for s in self.sources if s.peer is None) and all(
            o.failing or not o.source.able(now) for o in relays
        )

    def takes(self, site_id: int) -> int:
        """Return how many messages of a site are worth having in hand; 0: it can't be served from here now."""
        now = self._clock.monotonic()
        takes = 0
        for source in self.sources:
            if not source.able(now):
                continue
            if source.peer is not None:
                return PLENTY
            outlet = self._outlets.get((source.source_id, site_id))
            takes += UNASKED if outlet is None or not outlet.asked else self._taken_by(outlet)
        return takes

    def ready(self, lines: Iterable[Line]) -> int:
        """Return how many of the messages in hand can be sent within about a second."""
        ready = 0
        for line in lines:
            if line.route is None or any(source.peer is not None for source in self.sources):
                ready += line.waiting
            else:
                ready += min(line.waiting, sum(self._a_second_of(outlet) for outlet in self.serving(line)))
        return ready

    @staticmethod
    def _a_second_of(outlet: Outlet) -> int:
        if not outlet.asked:
            return UNASKED
        return 0 if outlet.suspended or not outlet.allowed else max(50, int(outlet.rate))

    def _taken_by(self, outlet: Outlet) -> int:
        if outlet.suspended or not outlet.allowed:
            return 0
        if outlet.turns is not None:
            return max(1, math.ceil(outlet.turns.rate * self._slice_seconds))
        return max(LEAST, int(outlet.rate * AHEAD_SECONDS))

    # --- permits ---

    async def run(self, waiting: Callable[[int], int], shed: Callable[[], None]) -> None:
        """Ask for permits until cancelled, and after each answer `shed` what is too much to have in hand.

        `waiting(site_id)`: messages in hand or known to wait for a site.
        """
        while True:
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    await self.changed.wait()
            except TimeoutError:
                pass
            self.changed.clear()
            self._measure()
            try:
                await self.ask(waiting)
                shed()
            except AWAY as error:
                log.warning("permits_unavailable", error=type(error).__name__)
                await asyncio.sleep(1.0)

    async def ask(self, waiting: Callable[[int], int]) -> None:
        """Ask once for all, and put the answer to use."""
        now = self._clock.monotonic()
        for source in self.sources:
            if source.allowance is not None:
                await source.allowance.replenish(waiting(RELAYED))
        asked = {}
        for key, outlet in list(self._outlets.items()):
            wanted = self._wanted(outlet, waiting(outlet.site_id), now)
            if wanted is None:
                if not outlet.relays:
                    del self._outlets[key]
                continue
            asked[key] = outlet, wanted
        if not asked:
            return
        grants = await self._permits.ask([want for _, want in asked.values()])
        for grant in grants:
            outlet, want = asked[grant.source_id, grant.site_id]
            outlet.successes -= want.successes
            outlet.failures -= want.failures
            self._apply(outlet, grant)

    def _wanted(self, outlet: Outlet, waiting: int, now: float) -> Want | None:
        """Return what an outlet wants; None if it is to be forgotten."""
        load = waiting + outlet.under_way
        if load:
            outlet.last_busy = now
        elif outlet.live == 0 and not outlet.allowed and now - outlet.last_busy > IDLE_SECONDS:
            return None
        able = outlet.source.able(now) or outlet.live
        wanted = min(load, outlet.limits.connections) if able else 0
        if now - outlet.last_busy <= max(IDLE_SECONDS, outlet.limits.idle if outlet.live else 0.0):
            wanted = max(wanted, outlet.live)
        outlet.wanting = wanted
        return Want(
            source_id=outlet.source.source_id,
            site_id=outlet.site_id,
            connections=wanted,
            open=frozenset(outlet.open),
            limits=outlet.limits,
            adaptive=not outlet.relays,
            in_use=waiting > 0,
            successes=outlet.successes,
            failures=outlet.failures,
        )

    def _apply(self, outlet: Outlet, grant: Grant) -> None:
        now = self._clock.monotonic()
        outlet.asked = True
        outlet.suspended = grant.suspended
        slots = frozenset(slot.number for slot in grant.slots)
        if grant.rate is None:
            outlet.turns = None
        else:
            outlet.turns = Turns.renewed(outlet.turns, grant, now=now)
        outlet.allow(slots)

    def _measure(self) -> None:
        now = self._clock.monotonic()
        spent = now - self._rated_at
        if spent < 0.1:  # noqa: PLR2004 - too short a time says nothing
            return
        self._rated_at = now
        for outlet in self._outlets.values():
            begun = self._begun.get(outlet, 0)
            outlet.rate = (outlet.rate + (outlet.begun - begun) / spent) / 2
            self._begun[outlet] = outlet.begun
        self._begun = {outlet: begun for outlet, begun in self._begun.items() if outlet in self._outlets.values()}

    # --- which chunks to claim ---

    def wake(self, in_hand: Callable[[int], int]) -> None:
        """Let connections that wait for work look for it; ask for permits at once where none was wanted so far."""
        for outlet in self._outlets.values():
            outlet.wanted.set()
            if not outlet.wanting and (outlet.relays or in_hand(outlet.site_id)):
                self.changed.set()

    def claimable(self, sites: Iterable[WaitingSite], in_hand: Callable[[int], int]) -> list[int]:
        """Return which of the sites that chunks wait for can be claimed for now.

        A chunk of one site is claimed with a permit in hand, not before: who can't send it would only hand it on.
        """
        chosen = []
        for site in sites:
            ready = False
            for source in self.sources:
                outlet = self._outlet(source, RELAYED if source.peer else site.site_id, site.provider)
                ready = ready or source.peer is not None or bool(outlet.allowed and not outlet.suspended)
            if site.stale or (ready and in_hand(site.site_id) * 2 <= self.takes(site.site_id)):
                chosen.append(site.site_id)
        return chosen
