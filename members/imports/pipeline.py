"""Batches of one import on their way into the vault, four at once: one is read, one looked up, two are written.

Each commits whole: members, keys, indexes, consents, rejects and the import's own counters, fenced by compare-and-set
on `rows_done`. Two write side by side, so that Postgres has work while we have not; consents and counters come last in
each transaction, after the later batch has waited for the earlier one's commit, so they commit in the order of the file
and never one without those before it. A look-up begins when the batch before it is decided, so what those ahead of it
take and have not committed is passed on. In a dry run the counters, the rejects and what was met are all that is
written.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import asyncpg

from core import sql
from core.errors import Superseded
from members.connection import Lent
from members.imports.columns import Reject, Row
from members.imports.decision import Decision
from members.imports.file import Seal
from members.imports.layout import Layout
from members.imports.merge import RACES, Merge, Moved
from members.imports.standing import Standing

SQL = sql.load(__package__ or "", "pipeline.sql")

_MAX_RACES = 20
_WRITERS = 2


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch of the file, read: where it begins, its good rows, its rejects, how many records it has."""

    rows_done: int
    rows: Sequence[Row]
    rejects: Sequence[Reject]
    size: int


class _Written:
    """A batch that is being written. `at_once`: whether it committed at its first attempt."""

    def __init__(self, taken: AbstractSet[bytes]) -> None:
        self.taken = taken
        self.at_once: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None

    def settle(self, *, at_once: bool) -> None:
        """Let the batch behind know."""
        if not self.at_once.done():
            self.at_once.set_result(at_once)

    async def committed(self) -> None:
        """Wait for the commit; raise what came of it instead."""
        if self.task is not None:
            await asyncio.shield(self.task)


class Pipeline:
    """Takes batches in the order of the file, from `rows_done` on."""

    def __init__(self, pool: asyncpg.Pool, merge: Merge, layout: Layout, seal: Seal, rows_done: int) -> None:
        self._pool = pool
        self._merge = merge
        self._layout = layout
        self._seal = seal
        self._rows_done = rows_done
        self._looked_up: _Batch | None = None
        self._looking: asyncio.Task[Standing] | None = None
        self._writing: deque[_Written] = deque()
        self._before: list[AbstractSet[bytes]] = []

    async def push(self, rows: Sequence[Row], rejects: Sequence[Reject], size: int) -> None:
        """Take the next batch in; decide the one before it and begin to write that. Raises Superseded."""
        await self._decide()
        self._looked_up = _Batch(self._rows_done, rows, rejects, size)
        self._rows_done += size
        self._before = [written.taken for written in self._writing]
        self._looking = asyncio.create_task(self._merge.look(self._pool, rows))

    async def finish(self) -> int:
        """Write what is left; return the rows done in all."""
        await self._decide()
        while self._writing:
            await self._writing.popleft().committed()
        return self._rows_done

    async def drain(self) -> None:
        """Wait for what is under way. It commits or doesn't by its own fence; broken off it would cost connections."""
        tasks = [self._looking, *(written.task for written in self._writing)]
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    async def _decide(self) -> None:
        batch, self._looked_up = self._looked_up, None
        if batch is None or self._looking is None:
            return
        decision = await self._merge.decide(batch.rows, await self._looking, self._before)
        if len(self._writing) == _WRITERS:
            await self._writing.popleft().committed()
        ahead = self._writing[-1] if self._writing else None
        written = _Written(decision.taken)
        written.task = asyncio.create_task(self._commit(batch, decision, written, ahead))
        self._writing.append(written)

    async def _commit(self, batch: _Batch, decision: Decision, written: _Written, ahead: _Written | None) -> None:
        """Commit one batch; where someone else was faster with a member of it, look and decide again."""
        try:
            if ahead is not None and not decision.names <= self._merge.used:
                # Both would mark the same attributes as used: the later one, coming first, would hold them and wait.
                await ahead.committed()
            for _ in range(_MAX_RACES):
                try:
                    async with self._pool.acquire() as connection, connection.transaction():
                        await self._write(connection, batch, decision, ahead)
                except RACES:
                    # The batch behind gives up what it holds, or we might wait for it and it for us.
                    written.settle(at_once=False)
                    if ahead is not None:
                        await ahead.committed()
                    standing = await self._merge.look(self._pool, batch.rows)
                    decision, ahead = await self._merge.decide(batch.rows, standing, ()), None
                    continue
                self._merge.used.update(decision.names)
                written.settle(at_once=True)
                return
            raise Superseded("Other writers kept changing the same members")
        finally:
            written.settle(at_once=False)

    async def _write(self, connection: Lent, batch: _Batch, decision: Decision, ahead: _Written | None) -> None:
        import_id = self._merge.import_id
        rejects = sorted((*batch.rejects, *decision.rejects), key=lambda reject: reject.record.line)
        if rejects:
            no = batch.rows_done + 1
            sealed = self._seal("reject", no, self._layout.reject_lines(rejects))
            await connection.execute(SQL["add_rejects"], import_id, no, sealed)
        if decision.met:
            await connection.execute(SQL["see"], import_id, decision.met)
        if not self._merge.dry_run:
            await self._merge.write(connection, decision)
        if ahead is not None and not await asyncio.shield(ahead.at_once):
            raise Moved
        if not self._merge.dry_run:
            await self._merge.record(connection, decision)
        counts = (len(decision.new), len(decision.changed), decision.unchanged, len(rejects))
        if not await connection.fetchval(SQL["advance"], import_id, batch.rows_done, batch.size, *counts):
            raise Superseded("The import was cancelled, or moved on by another worker")
