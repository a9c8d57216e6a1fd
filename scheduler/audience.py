"""Cuts one slice of a run's audience: from the vault into `recipient` and `chunk`, whole or not at all.

The rows cross as a binary stream (COPY out of one database, COPY into a staging table of the other) and none is parsed
here. Then one transaction, fenced by the job, adds recipients and chunks, moves the run's figures on and ends this job,
with the next slice's in its place. Killed at any moment before its commit a slice leaves no trace, and is cut anew.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import logs, sql
from core.errors import Superseded
from members.audience import Audience, SliceEnd
from members.engagement import Sink
from members.traits import Traits
from scheduler.campaigns.states import FINAL, State
from scheduler.chunks import cut
from scheduler.jobs import Job
from scheduler.meters import AUDIENCE_MEMBERS
from scheduler.traits import Numbering, Trait

SQL = sql.load(__package__ or "", "audience.sql")

log = logs.get()

FIRST_SLICE = 5_000
"""A run's first slice is small: what is scheduled for the next moment begins while the rest is being cut."""

LESS_OFTEN = "less_often"
"""Why a member is left out who asked for less mail than there is."""

_QUEUED_BLOCKS = 16


class AudienceSource(Protocol):
    """The vault's side (members/audience.py)."""

    async def upper(self, account_id: UUID, /) -> UUID | None:
        """Return the newest member's id, None if there is no member."""

    async def resolve(self, account_id: UUID, wanted: Mapping[str, Any], /) -> Audience:
        """Return the audience's rules; raise InvalidInput or NotFound if they can't be had."""

    async def traits(
        self, account_id: UUID, wanted: Mapping[str, Any], report_by: Mapping[str, Any] | None, /
    ) -> Traits:
        """Return what the run's reports tell recipients apart by; raise InvalidInput if that can't be had."""

    async def slice(
        self, account_id: UUID, audience: Audience, after: UUID | None, upper: UUID, limit: int, sink: Sink, /
    ) -> SliceEnd:
        """Write (member_id, tag, key of traits) of those who can be sent to in order as binary COPY into `sink`.

        At most `limit` who meet the rules; of rules that take more than facets, whoever meets them of `limit` members.
        """

    async def less_often(self, account_id: UUID, after: UUID | None, end: UUID, /) -> Sequence[tuple[UUID, int]]:
        """Return who of the members after `after`, up to `end`, asked for how many days between two mails at least."""


class AudienceCutter:
    """The handler of the jobs of kind `audience_slice`; `slice_rows` bounds one slice."""

    def __init__(
        self, main: asyncpg.Pool, source: AudienceSource, *, new_id: Callable[[], UUID], slice_rows: int
    ) -> None:
        self._main = main
        self._source = source
        self._new_id = new_id
        self._slice_rows = slice_rows

    async def __call__(self, job: Job) -> None:
        """Cut the slice that the job names. InvalidInput or NotFound: the audience can't be had any more."""
        run = await self._main.fetchrow(SQL["run"], job.subject_id)
        if run is None or run["audience_state"] != "cutting" or _over(State(run["state"])):
            return
        extent = _Extent.read(job.payload) if _Extent.fixed(job.payload) else await self._freeze(job, run)
        async with self._main.acquire() as connection:
            end = await self._stage(connection, job.account_id, extent)
            if end is not None:
                end = await self._spare(connection, job, extent, end)
            with suppress(_RunOver):
                await self._commit(connection, job, extent, end)

    async def _freeze(self, job: Job, run: asyncpg.Record) -> "_Extent":
        """Fix who is of this audience: today's rules and members. Nobody who comes later is, no later rule counts.

        A job that another release left knows how far it is, and its rules in a form of its own: those are fixed anew.
        """
        audience = await self._source.resolve(job.account_id, run["audience"])
        traits = await self._source.traits(job.account_id, run["audience"], run["report_by"])
        audience = replace(audience, traits=traits)
        if "after" in job.payload:
            return _Extent(UUID(job.payload["after"]), UUID(job.payload["upper"]), audience)
        return _Extent(None, await self._source.upper(job.account_id), audience)

    async def _stage(self, connection: PoolConnectionProxy, account_id: UUID, extent: "_Extent") -> SliceEnd | None:
        """Fill the staging table, outside any transaction: a stalled vault holds no lock here."""
        upper = extent.upper
        if upper is None:
            return None
        await connection.execute(SQL["make_stage"])
        await connection.execute(SQL["empty_stage"])
        limit = self._slice_rows if extent.after else min(FIRST_SLICE, self._slice_rows)
        blocks: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED_BLOCKS)

        async def read() -> SliceEnd:
            try:
                end = await self._source.slice(account_id, extent.audience, extent.after, upper, limit, blocks.put)
            except Exception:
                await blocks.put(None)
                raise
            await blocks.put(None)
            return end

        reading = asyncio.create_task(read(), name="audience slice")

        async def written(block: bytes | None) -> AsyncIterator[bytes]:
            while block is not None:
                yield block
                block = await blocks.get()
            # A source that failed half-way must fail the copy too.
            await reading

        try:
            block = await blocks.get()
            if block is not None:
                await connection.copy_to_table(
                    "audience_stage", source=written(block), columns=("member_id", "tag", "key"), format="binary"
                )
            return await reading
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _spare(self, connection: PoolConnectionProxy, job: Job, extent: "_Extent", end: SliceEnd) -> SliceEnd:
        """Take those out of the staging table who asked for less mail than this run would make it."""
        upper = end.last or extent.upper
        asked = await self._source.less_often(job.account_id, extent.after, upper) if upper else ()
        if not asked:
            return end
        members, days = [member_id for member_id, _ in asked], [days for _, days in asked]
        status = await connection.execute(SQL["spare"], job.subject_id, members, days)
        spared = int(status.rpartition(" ")[2])
        left_out = dict(end.left_out) | ({LESS_OFTEN: spared} if spared else {})
        return replace(end, rows=end.rows - spared, left_out=left_out)

    async def _commit(self, connection: PoolConnectionProxy, job: Job, extent: "_Extent", end: SliceEnd | None) -> None:
        run_id = job.subject_id
        rest = extent.beyond(end.last if end else None)
        async with connection.transaction():
            if await connection.fetchval(SQL["fence"], job.job_id, job.owner, job.epoch) is None:
                raise Superseded("The slice's job was given to another worker")
            run = await connection.fetchrow(SQL["snapshot"], run_id)
            if run is None:
                return
            offset, left_out = run["snapshot"], dict(run["left_out"])
            for reason, number in (end.left_out if end else {}).items():
                left_out[reason] = left_out.get(reason, 0) + number
            count = 0
            if end:
                cells = await self._name(connection, run_id, extent.audience.traits)
                count = await self._add(connection, run_id, offset, run["rate_per_hour"], cells)
            state = "cutting" if rest else "whole"
            if await connection.fetchval(SQL["grow"], run_id, offset + count, left_out, state) is None:
                raise _RunOver
            if rest:
                await connection.execute(SQL["next_job"], self._new_id(), job.account_id, run_id, rest.payload())
            await connection.execute(SQL["end_job"], job.job_id)
        AUDIENCE_MEMBERS.inc(count)
        log.info("audience_slice", run=str(run_id), members=count, state=state)

    async def _name(self, connection: PoolConnectionProxy, run_id: UUID, asked: Traits) -> Mapping[str, int]:
        """Store the traits and cells of what is staged that are new in this run; return each key's cell."""
        staged = await connection.fetch(SQL["staged_keys"])
        if not staged:
            return {}
        numbering = Numbering(
            asked,
            {Trait(*row[1:]): row["no"] for row in await connection.fetch(SQL["traits"], run_id)},
            {row["key"]: row["no"] for row in await connection.fetch(SQL["cells"], run_id)},
        )
        cells = numbering.add(row["key"] for row in staged)
        await connection.executemany(
            SQL["insert_trait"], [(run_id, no, *trait) for trait, no in numbering.new_traits.items()]
        )
        await connection.executemany(
            SQL["insert_cell"], [(run_id, cell.no, cell.key, cell.traits) for cell in numbering.new_cells]
        )
        numbers = [cells[row["key"]] for row in staged]
        await connection.execute(SQL["count_snapshot"], run_id, numbers, [row["recipients"] for row in staged])
        return cells

    async def _add(
        self,
        connection: PoolConnectionProxy,
        run_id: UUID,
        offset: int,
        rate_per_hour: int | None,
        cells: Mapping[str, int],
    ) -> int:
        """Move what is staged into the run, with its chunks; return how many recipients that makes."""
        status = await connection.execute(SQL["insert_recipients"], run_id, offset, list(cells), list(cells.values()))
        count = int(status.rpartition(" ")[2])
        chunks = cut(offset, count, rate_per_hour)
        await connection.execute(SQL["catch_up"], run_id)
        await connection.execute(
            SQL["insert_chunks"], run_id, [first for first, _ in chunks], [last for _, last in chunks]
        )
        return count


@dataclass(frozen=True, slots=True)
class _Extent:
    """What is still to be cut: members after `after` and up to `upper` that meet the rules, all fixed at first."""

    after: UUID | None
    upper: UUID | None
    audience: Audience

    @staticmethod
    def fixed(payload: Mapping[str, Any]) -> bool:
        """Whether the rules are fixed already; not so in a run's first slice."""
        return "rule" in payload

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> "_Extent":
        """Read what `payload` wrote."""
        topic = payload.get("topic")
        audience = Audience(
            payload["rule"],
            datetime.fromisoformat(payload["at"]),
            None if topic is None else UUID(topic),
            Traits.read(payload["traits"]) if "traits" in payload else Traits(),
        )
        return cls(UUID(payload["after"]), UUID(payload["upper"]), audience)

    def payload(self) -> Mapping[str, Any]:
        """Return this as the next slice's job bears it."""
        audience = self.audience
        return {
            "after": str(self.after),
            "upper": str(self.upper),
            "rule": audience.rule,
            "at": audience.at.isoformat(),
            "topic": None if audience.topic is None else str(audience.topic),
            "traits": audience.traits.document(),
        }

    def beyond(self, last: UUID | None) -> "_Extent | None":
        """Return what is left after `last`, None if nothing is."""
        return replace(self, after=last) if last and self.upper and last < self.upper else None


class _RunOver(Exception):  # noqa: N818
    """The run was cancelled while its slice was being cut: the slice is taken back."""


def _over(state: State) -> bool:
    return state in FINAL or state is State.CANCELLING
