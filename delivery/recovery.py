"""Takes over from dead workers, so that nothing is lost and nothing sent twice.

Two ways, both one transaction that retires the owner, resolves each of its open intents and frees its chunks:

- By journal, at once, on the machine where it died. Whoever gets the lock on a journal knows that its process is gone.
  An intent without `start` was never on the wire: `released`. One with an outcome: that outcome. One with `start` alone
  may have been delivered or not, nobody can tell (RFC 1047): `uncertain`. After a power cut the page cache may be lost,
  so an absent `start` proves nothing, and all that is open is `uncertain`.
- By time, from anywhere, once the lease and the longest wait for a reply are over: all that is open is `uncertain`.

A worker that was only stopped, not dead, and wakes up finds itself retired; the true results that it still
brings replace `uncertain`.
"""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import asyncpg

from core import logs, sql
from delivery.journal import JournalContent, Key, abandoned
from delivery.ledger import Outcome, record
from delivery.replies.verdict import RELEASED, UNCERTAIN, Verdict

SQL = sql.load(__package__ or "", "recovery.sql")

log = logs.get()

BODY_SECONDS = 30.0
"""The longest that a worker takes to write a body, before it waits for the reply to the final dot."""


async def reap(main: asyncpg.Pool, final_dot_timeout: float) -> int:
    """Retire workers that died where their journal can't be had; return how many. Seconds."""
    dead = [row["owner"] for row in await main.fetch(SQL["long_dead"], BODY_SECONDS + final_dot_timeout)]
    for owner in dead:
        await _take_over(main, owner, lambda _key: (UNCERTAIN, None))
    return len(dead)


async def replay(main: asyncpg.Pool, directory: Path, boot_id: str) -> int:
    """Replay every journal whose process is gone; return how many. `boot_id` tells a restart from a power cut."""
    count = 0
    for journal in abandoned(directory):
        with journal:
            content = journal.read(boot_id)
            if content is not None:
                await _take_over(main, content.owner, resolver(content))
            journal.remove()
            count += 1
    return count


Resolve = Callable[[Key], tuple[Verdict, int | None]]


def resolver(content: JournalContent) -> Resolve:
    """Return what a journal says of an open intent: the verdict and the reply's code."""

    def resolve(key: Key) -> tuple[Verdict, int | None]:
        known = content.outcomes.get(key)
        if known is not None:
            return Verdict(known.outcome, known.reason, known.suppress), known.code
        if key in content.started or not content.trusted:
            return UNCERTAIN, None
        return RELEASED, None

    return resolve


async def _take_over(main: asyncpg.Pool, owner: UUID, resolve: Resolve) -> None:
    async with main.acquire() as connection, connection.transaction():
        retired = await connection.fetchval(SQL["retire"], owner)
        if not retired:
            return
        rows = await connection.fetch(SQL["open_intents"], owner)
        outcomes = []
        for row in rows:
            verdict, code = resolve((row["run_id"], row["seq"], row["try"]))
            outcomes.append(Outcome(row["run_id"], row["seq"], row["try"], verdict, code, None, 0.0))
        if outcomes:
            await record(connection, owner, outcomes, now=0.0)
        await connection.execute(SQL["free_work"], owner)
        log.warning("worker_taken_over", owner=str(owner), open_intents=len(outcomes))
