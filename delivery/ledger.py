"""Intents and results in batches: nothing per message touches the database.

Failure model. An intent is committed before DATA, a result after the reply. While Postgres is away both statements are
repeated until it is back (each may be repeated safely), so sending stands still and nothing is lost. What a dead
process did not record is in its journal (`delivery.recovery`).
"""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from core.clock import Clock
from core.database import with_retry
from delivery.replies.verdict import STRIKES, Verdict

SQL = sql.load(__package__ or "", "ledger.sql")

Refusal = Literal["lost", "held", "stopped", "taken"]

RECORD_ROWS = 1_000
_STRIKES = sorted(STRIKES)


class Intended(Protocol):
    """What an intent is asked for; the consumer of this module brings its own class."""

    @property
    def run_id(self) -> UUID: ...  # noqa: D102
    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def tries(self) -> int: ...  # noqa: D102
    @property
    def member_id(self) -> UUID: ...  # noqa: D102
    @property
    def chunk_id(self) -> int: ...  # noqa: D102
    @property
    def epoch(self) -> int: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one try came to. `detail` is masked text; `at` is monotonic seconds."""

    run_id: UUID
    seq: int
    try_: int
    verdict: Verdict
    code: int | None
    detail: str | None
    at: float
    source_id: int | None = None
    site_id: int | None = None

    @property
    def reason(self) -> str | None:
        """Why, where there is something to explain."""
        return None if self.verdict.outcome in {"accepted", "released"} else self.verdict.reason.value


Runner = asyncpg.Pool | asyncpg.Connection | PoolConnectionProxy


class Ledger:
    """Writes intents on demand and results in the background, for one owner."""

    def __init__(
        self,
        main: asyncpg.Pool,
        owner: UUID,
        clock: Clock,
        *,
        on_written: Callable[[Sequence[Outcome]], None] = lambda _batch: None,
        flush_seconds: float = 0.1,
    ) -> None:
        self._main = main
        self._owner = owner
        self._clock = clock
        self._on_written = on_written
        self._flush_seconds = flush_seconds
        self._waiting: list[Outcome] = []
        self._written = 0
        self._added = 0
        self._progress = asyncio.Condition()
        self._wake = asyncio.Event()
        self._closing = False

    async def intend(self, messages: Sequence[Intended]) -> dict[int, Refusal]:
        """Ask leave to send; return the refused ones' positions (from 0) and why. All others are committed."""
        asked = itertools.count()
        return await with_retry(lambda: self.ask(messages, again=next(asked) > 0), what="intend")

    async def ask(self, messages: Sequence[Intended], *, again: bool) -> dict[int, Refusal]:
        """Ask once; `again` after an answer that was lost: then the same is answered as then."""
        rows = await self._intend(messages, again=again)
        return {row["position"] - 1: row["why"] for row in rows}

    async def _intend(self, messages: Sequence[Intended], *, again: bool) -> list[asyncpg.Record]:
        return await self._main.fetch(
            SQL["intend"],
            self._owner,
            [m.run_id for m in messages],
            [m.seq for m in messages],
            [m.tries for m in messages],
            [m.member_id for m in messages],
            [m.chunk_id for m in messages],
            [m.epoch for m in messages],
            again,
        )

    def add(self, outcome: Outcome) -> int:
        """Take a result to be written soon; return its number, to be awaited with `written`."""
        self._waiting.append(outcome)
        self._added += 1
        self._wake.set()
        return self._added

    async def written(self, number: int) -> None:
        """Wait until the result of this number, and all before it, are committed."""
        async with self._progress:
            await self._progress.wait_for(lambda: self._written >= number)

    async def omit(self, run_id: UUID, seqs: Sequence[int], reason: Literal["erased", "unreadable"]) -> None:
        """Record recipients whose member is gone from the vault, or can't be opened there."""
        if seqs:
            await with_retry(lambda: self._main.execute(SQL["omit"], run_id, list(seqs), reason), what="omit")

    @property
    def backlog(self) -> int:
        """Results that wait to be written."""
        return self._added - self._written

    async def run(self) -> None:
        """Write results every `flush_seconds` until `close`, then what is left."""
        while True:
            await self._wake.wait()
            if not self._closing and len(self._waiting) < RECORD_ROWS:
                await asyncio.sleep(self._flush_seconds)
            self._wake.clear()
            while self._waiting:
                batch, self._waiting = self._waiting[:RECORD_ROWS], self._waiting[RECORD_ROWS:]
                await with_retry(lambda batch=batch: self._record(batch), what="record")  # type: ignore[misc]
                self._on_written(batch)
                async with self._progress:
                    self._written += len(batch)
                    self._progress.notify_all()
            if self._closing:
                return

    def close(self) -> None:
        """Let `run` write what waits and return."""
        self._closing = True
        self._wake.set()

    async def _record(self, batch: Sequence[Outcome]) -> None:
        await record(self._main, self._owner, batch, now=self._clock.monotonic())


async def record(main: Runner, owner: UUID, batch: Sequence[Outcome], *, now: float) -> int:
    """Write results, fenced by their intents; return how many were new. `now` is monotonic seconds."""
    kept: int = await main.fetchval(
        SQL["record"],
        owner,
        [o.run_id for o in batch],
        [o.seq for o in batch],
        [o.try_ for o in batch],
        [o.verdict.outcome for o in batch],
        [o.code for o in batch],
        [o.reason for o in batch],
        [o.detail for o in batch],
        [max(0.0, now - o.at) for o in batch],
        [o.verdict.suppress for o in batch],
        [o.source_id for o in batch],
        [o.site_id for o in batch],
        _STRIKES,
    )
    return kept
