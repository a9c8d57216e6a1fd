"""Previews: how many a rule finds now, why some of them can't be sent to, and a few addresses, masked.

What facets answer is counted at once. Any other rule is a preview of its own, decided range by range by a worker: each
range commits with the progress that it made, so that a preview goes on where a killed worker left it, and ends when it
is cancelled. It asks what a snapshot asks, by the same statements (members/audience_range.py), and lives for an hour.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from core import sql
from core.errors import InvalidInput, NotFound, Superseded
from members.addresses import mask
from members.audience import Audience, AudienceSource, Count, count_of
from members.keyring import KeyRings
from members.vault import Vault

SQL = sql.load(__package__ or "", "previews.sql")

State = Literal["waiting", "running", "finished", "failed"]

SAMPLES = 20
RANGE = 50_000
"""Members decided before progress is noted: a few tenths of a second."""

_AT_ONCE = 2
"""Ranges under way: one whose members are opened, one by which the database decides."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule finds, and a few of the addresses, masked (`t***@example.jp`)."""

    count: Count
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview on its way: of `total` members `done` are decided, and `found` is what they come to."""

    preview_id: UUID
    state: State
    done: int
    total: int
    found: Found
    error: str | None
    created_at: datetime


class _Decided(NamedTuple):
    """What a range came to: where it ends, how many by why they can't be sent to, and the first of those who can."""

    end: UUID | None
    totals: Mapping[str | None, int]
    samples: Sequence[UUID]


class PreviewStore:
    """Previews by account."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings, audiences: AudienceSource) -> None:
        self._pool = pool
        self._audiences = audiences
        self._vault = Vault(pool, rings)

    async def at_once(self, account_id: UUID, audience: Audience) -> Found | None:
        """Return what an audience comes to if facets tell, None if it takes a preview of its own."""
        told = await self._audiences.at_once(account_id, audience, SAMPLES)
        if told is None:
            return None
        count, samples = told
        return Found(count, await self._masked(account_id, samples))

    async def begin(self, account_id: UUID, preview_id: UUID, audience: Audience) -> Preview:
        """Store a preview that a worker is to make; forget those that are older than an hour."""
        await self._pool.execute(SQL["forget"])
        row = await self._pool.fetchrow(SQL["begin"], preview_id, account_id, audience.rule, audience.at)
        return await self._preview(account_id, row)

    async def get(self, account_id: UUID, preview_id: UUID) -> Preview:
        """Return a preview; raise NotFound, also when its hour is over."""
        return await self._preview(account_id, await self._pool.fetchrow(SQL["get"], account_id, preview_id))

    async def cancel(self, account_id: UUID, preview_id: UUID) -> None:
        """Cancel a preview, or forget it if it is finished; raise NotFound."""
        if await self._pool.fetchval(SQL["cancel"], account_id, preview_id) is None:
            raise NotFound("No such preview")

    async def run(self, account_id: UUID, preview_id: UUID, alive: Callable[[], bool], size: int = RANGE) -> None:
        """Make a preview, from where it stands; raise Superseded when `alive` says that the work was given away."""
        row = await self._pool.fetchrow(SQL["get"], account_id, preview_id)
        if row is None or row["state"] not in {"waiting", "running"}:
            return
        try:
            await self._decide(row, alive, size)
        except InvalidInput as error:
            # An attribute was removed since: said to who asked, nothing to try again.
            await self._pool.execute(SQL["fail"], account_id, preview_id, _said(error))

    async def _decide(self, row: asyncpg.Record, alive: Callable[[], bool], size: int) -> None:
        account_id, audience, upper = row["account_id"], Audience(row["rule"], row["at"]), row["upper"]
        totals: dict[str | None, int] = {**row["left_out"]}
        totals[None] = row["matching"] - sum(totals.values())
        samples, after, state = list(row["samples"]), row["after"], "running"
        async with aclosing(self._ranges(account_id, audience, after, upper, size)) as ranges:
            while state == "running":
                if not alive():
                    raise Superseded("The preview was given to another worker")
                decided = await anext(ranges)
                for reason, total in decided.totals.items():
                    totals[reason] = totals.get(reason, 0) + total
                samples += decided.samples[: SAMPLES - len(samples)]
                count = count_of(totals)
                state = await self._pool.fetchval(
                    SQL["progress"],
                    account_id,
                    row["preview_id"],
                    after,
                    decided.end,
                    size,
                    count.matching,
                    count.left_out,
                    samples,
                )
                after = decided.end

    async def _ranges(
        self, account_id: UUID, audience: Audience, after: UUID | None, upper: UUID | None, size: int
    ) -> AsyncGenerator[_Decided, None]:
        """Decide range by range up to `upper`, in order; one that ends nowhere where there are no members.

        While the database decides by what was found in one range, the members of the next are opened.
        """
        if upper is None:
            yield _Decided(None, {}, [])
            return
        turn, under_way = asyncio.Lock(), deque[asyncio.Task[_Decided]]()
        try:
            while under_way or after != upper:
                while len(under_way) < _AT_ONCE and after != upper:
                    end = await self._audiences.range_end(account_id, after, upper, size)
                    under_way.append(asyncio.create_task(self._range(account_id, audience, after, end, turn)))
                    after = end
                yield await under_way[0]
                under_way.popleft()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _range(
        self, account_id: UUID, audience: Audience, after: UUID | None, end: UUID, turn: asyncio.Lock
    ) -> _Decided:
        async with self._audiences.decided(account_id, audience, after, end, turn) as found:
            return _Decided(end, await found.totals(), await found.samples(SAMPLES))

    async def _preview(self, account_id: UUID, row: asyncpg.Record | None) -> Preview:
        if row is None:
            raise NotFound("No such preview")
        left_out: Mapping[str, int] = row["left_out"]
        count = Count(row["matching"], row["matching"] - sum(left_out.values()), left_out)
        found = Found(count, await self._masked(account_id, row["samples"]))
        return Preview(
            row["preview_id"], row["state"], row["done"], row["total"], found, row["error"], row["created_at"]
        )

    async def _masked(self, account_id: UUID, member_ids: Sequence[UUID]) -> tuple[str, ...]:
        opened = await self._vault.open_members(account_id, member_ids)
        return tuple(sorted(mask(member.address) for member in opened))


def _said(error: InvalidInput) -> str:
    return "; ".join([error.detail, *(f"{fault.pointer}: {fault.detail}" for fault in error.faults)])[:500]
