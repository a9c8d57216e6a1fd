"""The database that all examples share, emptied before each, and the loop that talks to it."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import structlog

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from tests.support.postgres import Server, fresh_databases
from tests.support.states.statements import POOL, SITES
from tests.support.states.tables import Judge, Tables, read

T = TypeVar("T")

# Row by row: there are few, and TRUNCATE makes each table a new file. But lanes that are equal are taken in the order
# that they lie in, which has to be the same when Hypothesis tries an example again.
_EMPTY = """
UPDATE app.clock_offset SET shift = '0';
TRUNCATE lane, chunk;
DELETE FROM site; DELETE FROM intent; DELETE FROM result; DELETE FROM omission; DELETE FROM recipient; DELETE FROM stop;
DELETE FROM tally; DELETE FROM tally_delta; DELETE FROM worker; DELETE FROM run; DELETE FROM content;
DELETE FROM campaign; DELETE FROM template; DELETE FROM sender; DELETE FROM account;
"""

# As scheduling and cutting leave a run: its recipients there, all of them in chunks that nobody has claimed.
_ARRANGE = """
WITH account AS (INSERT INTO account (account_id, name) VALUES ($2::uuid, 'A') ON CONFLICT DO NOTHING),
     sender AS (INSERT INTO sender (sender_id, account_id, name, address, postal_address, contact, domain)
                VALUES ($1, $2, 'Shop', 'shop@example.jp', 'Tokyo', 'help@example.jp', 'example.jp')),
     template AS (INSERT INTO template (template_id, account_id, name) VALUES ($1, $2, 'T')),
     campaign AS (INSERT INTO campaign (campaign_id, account_id, name, sender_id, template_id, audience)
                  VALUES ($3, $2, 'C', $1, $1, '{}')),
     content AS (INSERT INTO content (content_id, account_id, body, links) VALUES ($1, $2, '{}', '{}')),
     run AS (INSERT INTO run (run_id, account_id, campaign_id, state, starts_at, content_id, audience, weight,
                              audience_state, snapshot, resend_uncertain)
             VALUES ($1, $2, $3, $4, app.now(), $1, '{}', 10, 'whole', cardinality($5::uuid[]), $7)),
     lane AS (INSERT INTO lane (run_id, pool, state, weight)
              VALUES ($1, $8, CASE $4 WHEN 'running' THEN 'running' ELSE 'held' END, 10)),
     chunk AS (INSERT INTO chunk (run_id, first_seq, last_seq)
               SELECT $1, s, least(s + $6 - 1, cardinality($5)) FROM generate_series(1, cardinality($5), $6) AS s)
INSERT INTO recipient (run_id, seq, member_id, tag)
SELECT $1, n, m, 0 FROM unnest($5) WITH ORDINALITY AS u (m, n)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it was arranged; `members` by sequence number."""

    run_id: UUID
    account_id: UUID
    campaign_id: UUID
    members: tuple[UUID, ...]
    resend_uncertain: bool


class House:
    """One at a time; all of its methods but `do` and `settle_in` are coroutines to be given to `do`."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, main: asyncpg.Pool, owner: asyncpg.Connection, log: list[Any]
    ) -> None:
        self.main = main
        self.new_id = IdSource(SystemClock())
        self._loop = loop
        self._owner = owner
        self._judge = Judge()
        self._log = log
        self.touched = False
        """Whether anything was asked of the database since that was last set to False."""

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one step to its end."""
        self.touched = True
        return self._loop.run_until_complete(work)

    async def empty(self) -> None:
        """Forget all earlier examples and set the clock right."""
        self._log.clear()
        await self._owner.execute(_EMPTY)
        await self._owner.executemany(
            "INSERT INTO site (site_id, digest) OVERRIDING SYSTEM VALUE VALUES ($1, $2)",
            [(site, site.to_bytes(16)) for site in SITES],
        )

    async def arrange(
        self, account_id: UUID, members: Sequence[UUID], *, chunk: int, resend_uncertain: bool, state: str
    ) -> Run:
        run_id, campaign_id = self.new_id(), self.new_id()
        await self.main.execute(
            _ARRANGE, run_id, account_id, campaign_id, state, list(members), chunk, resend_uncertain, POOL
        )
        return Run(run_id, account_id, campaign_id, tuple(members), resend_uncertain)

    async def shift(self, seconds: float) -> None:
        await self._owner.execute("UPDATE app.clock_offset SET shift = shift + make_interval(secs => $1)", seconds)

    async def now(self) -> Any:
        return await self._owner.fetchval("SELECT app.now()")

    async def tables(self, runs: Sequence[UUID]) -> Tables:
        return await read(self._owner, list(runs))

    async def judged(self, run_id: UUID) -> tuple[list[str], dict[str, int]]:
        return await self._judge.verdict(self._owner, run_id)


@contextmanager
def open_house(server: Server) -> Iterator[House]:
    """Make a database for one test, with a loop of its own, since Hypothesis calls rules as plain functions."""
    with asyncio.Runner() as runner, structlog.testing.capture_logs() as log:
        loop = runner.get_loop()
        databases = fresh_databases(server)
        dsns = loop.run_until_complete(databases.__aenter__())
        try:
            main = loop.run_until_complete(open_pool(dsns.main, name="test", min_size=1, max_size=1))
            # The laws are one long statement: planned once, and not anew for each run.
            owner = loop.run_until_complete(
                asyncpg.connect(
                    dsns.main_owner, server_settings={"plan_cache_mode": "force_generic_plan", "jit": "off"}
                )
            )
            try:
                yield House(loop, main, owner, log)
            finally:
                loop.run_until_complete(owner.close())
                loop.run_until_complete(close_pool(main))
        finally:
            loop.run_until_complete(databases.__aexit__(None, None, None))
