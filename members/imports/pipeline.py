"""Batches of one import on their way into the vault, five at once: one is read, one looked up, three are written.

Each commits whole: members, keys, indexes, consents, rejects and the import's own counters, fenced by compare-and-set
on `rows_done`. Three write side by side, so that Postgres has work whatever one of them waits for; consents and
counters come last in each transaction, after the later batch has waited for the earlier one's commit, so they commit in
the order of the file and never one without those before it. A look-up begins while the batch before it is decided, and
ends while the next one is read: what those ahead of it take, and had not committed when it began, is passed on. Of a
file that brings only new addresses little is looked up (presumption.py). In a dry run the counters, the rejects and
what was met are all that is written.
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
from members.imports.presumption import Presumption
from members.imports.standing import Standing

SQL = sql.load(__package__ or "", "pipeline.sql")

_MAX_RACES = 20
PATIENCE = "5s"
"""How long a batch waits for whoever holds an address or a member of it; then it has lost a race."""
_WRITERS = 3


class _Passage:
    """What those behind a batch need to know of it.

    `taken`: the address keys that it takes, once it is decided. `at_once`: whether it committed at its first attempt.
    """

    def __init__(self) -> None:
        self.taken: AbstractSet[bytes] = frozenset()
        self.at_once: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.task: asyncio.Task[None] | None = None

    def follow(self, ahead: "_Passage") -> None:
        """Give up as soon as the one ahead does: this batch was decided by what that one was to take."""

        def heard(at_once: asyncio.Future[bool]) -> None:
            if not at_once.result():
                self.settle(at_once=False)

        ahead.at_once.add_done_callback(heard)

    def settle(self, *, at_once: bool) -> None:
        """Let the batch behind know."""
        if not self.at_once.done():
            self.at_once.set_result(at_once)

    @property
    def gave_up(self) -> bool:
        """Whether its first attempt has failed, or will."""
        return self.at_once.done() and not self.at_once.result()

    async def committed(self) -> None:
        """Wait for the commit; raise what came of it instead."""
        if self.task is not None:
            await asyncio.shield(self.task)


@dataclass(frozen=True, slots=True)
class _Batch:
    """A batch of the file, read: where it begins, its good rows, its rejects, how many records it has.

    `looking`: its look-up. `before`: those that had not committed when that began.
    """

    rows_done: int
    rows: Sequence[Row]
    rejects: Sequence[Reject]
    size: int
    looking: asyncio.Task[Standing]
    before: Sequence[_Passage]
    passage: _Passage


class Pipeline:
    """Takes batches in the order of the file, from `rows_done` on."""

    def __init__(self, pool: asyncpg.Pool, merge: Merge, layout: Layout, seal: Seal, rows_done: int) -> None:
        self._pool = pool
        self._merge = merge
        self._layout = layout
        self._seal = seal
        self._rows_done = rows_done
        self._presumption = Presumption(allowed=merge.mode != "update" and not merge.dry_run)
        self._looked_up: _Batch | None = None
        self._writing: deque[_Passage] = deque()

    async def push(self, rows: Sequence[Row], rejects: Sequence[Reject], size: int) -> None:
        """Take the next batch in; decide the one before it and begin to write that. Raises Superseded."""
        ahead, before = self._looked_up, [*self._writing]
        if ahead is not None:
            before.append(ahead.passage)
        looking = asyncio.create_task(self._merge.look(self._pool, rows, presumed=self._presumption.holds))
        self._looked_up = _Batch(self._rows_done, rows, rejects, size, looking, before, _Passage())
        self._rows_done += size
        if ahead is not None:
            await self._decide(ahead)

    async def finish(self) -> int:
        """Write what is left; return the rows done in all."""
        if self._looked_up is not None:
            await self._decide(self._looked_up)
        while self._writing:
            await self._writing.popleft().committed()
        return self._rows_done

    async def drain(self) -> None:
        """Wait for what is under way. It commits or doesn't by its own fence; broken off it would cost connections."""
        looking = self._looked_up.looking if self._looked_up is not None else None
        tasks = [looking, *(passage.task for passage in self._writing)]
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)

    async def _decide(self, batch: _Batch) -> None:
        passage, standing = batch.passage, await batch.looking
        before = [one.taken for one in batch.before]
        if self._writing and self._writing[-1].gave_up:
            # What was looked up, and what is passed on, may not be so any more: begin anew behind those that did.
            while self._writing:
                await self._writing.popleft().committed()
            standing, before = await self._merge.look(self._pool, batch.rows), []
        self._presumption.looked(found=bool(standing.existing or standing.suppressed))
        decision = await self._merge.decide(batch.rows, standing, before)
        passage.taken = decision.taken
        if len(self._writing) == _WRITERS:
            await self._writing.popleft().committed()
        ahead = self._writing[-1] if self._writing else None
        if ahead is not None:
            passage.follow(ahead)
        passage.task = asyncio.create_task(self._commit(batch, decision, passage, ahead))
        self._writing.append(passage)

    async def _commit(self, batch: _Batch, decision: Decision, passage: _Passage, ahead: _Passage | None) -> None:
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
                    passage.settle(at_once=False)
                    self._presumption.give_up()
                    if ahead is not None:
                        await ahead.committed()
                    standing = await self._merge.look(self._pool, batch.rows)
                    decision, ahead = await self._merge.decide(batch.rows, standing, ()), None
                    passage.taken = decision.taken
                    continue
                self._merge.used.update(decision.names)
                passage.settle(at_once=True)
                return
            raise Superseded("Other writers kept changing the same members")
        finally:
            passage.settle(at_once=False)

    async def _write(self, connection: Lent, batch: _Batch, decision: Decision, ahead: _Passage | None) -> None:
        import_id = self._merge.import_id
        rejects = sorted((*batch.rejects, *decision.rejects), key=lambda reject: reject.record.line)
        if rejects:
            no = batch.rows_done + 1
            sealed = self._seal("reject", no, self._layout.reject_lines(rejects))
            await connection.execute(SQL["add_rejects"], import_id, no, sealed)
        if decision.met:
            await connection.execute(SQL["see"], import_id, decision.met)
        if not self._merge.dry_run:
            await connection.execute(SQL["be_patient"], PATIENCE)
            await self._merge.write(connection, decision)
        if ahead is not None and not await asyncio.shield(ahead.at_once):
            raise Moved
        if not self._merge.dry_run:
            await self._merge.record(connection, decision)
        counts = (len(decision.new), len(decision.changed), decision.unchanged, len(rejects))
        if not await connection.fetchval(SQL["advance"], import_id, batch.rows_done, batch.size, *counts):
            raise Superseded("The import was cancelled, or moved on by another worker")
