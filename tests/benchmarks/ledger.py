"""What the consent ledger's chain costs: a record that is added, and one that is verified.

`plain` is a table with the ledger's columns and indexes and without its triggers: what the chain costs is the
difference, measured by turns, in batches as an import writes them.
"""

import time

import asyncpg

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from members.consents.verify import verify
from tests.benchmarks.figure import Figure

BATCH = 4_000
ROUNDS = 50

_PLAIN = """
CREATE TABLE plain (LIKE consent INCLUDING CONSTRAINTS INCLUDING INDEXES);
ALTER TABLE plain ALTER scope SET DEFAULT 'all', ALTER batch SET DEFAULT 0;
"""
_INSERT = (
    "INSERT INTO {} (account_id, member_id, kind, source, occurred_at, recorded_at)"
    " SELECT $1, m, 'given', '2026-form', $3, $3 FROM unnest($2::uuid[]) AS m"
)


async def measure(dsns: Dsns) -> list[Figure]:
    """Insert by turns into both, then verify."""
    owner = await asyncpg.connect(dsns.members_owner)
    pool = await open_pool(dsns.members, name="bench")
    try:
        await owner.execute(_PLAIN)
        new_id, spent = IdSource(SystemClock()), {"plain": 0.0, "consent": 0.0}
        account = new_id()
        for _ in range(ROUNDS):
            for table in spent:
                members = new_id.many(BATCH)
                began = time.perf_counter()
                await owner.execute(_INSERT.format(table), account, members, SystemClock().now())
                spent[table] += time.perf_counter() - began
        began = time.perf_counter()
        (checked,) = [one async for one in verify(pool)]
        verified = time.perf_counter() - began
    finally:
        await close_pool(pool)
        await owner.close()
    rows = BATCH * ROUNDS
    if checked.broken or checked.records != rows:
        raise AssertionError(checked)
    told = f"{rows:,} records in batches of {BATCH:,}, one account"
    plain, chained = (seconds / rows * 1e6 for seconds in spent.values())
    return [
        Figure(name="a record without the chain", value=plain, unit="µs", conditions=told),
        Figure(name="a record in the chain", value=chained, unit="µs", conditions=told),
        Figure(name="records verified", value=rows / verified, unit="1/s", conditions="one process, streamed"),
    ]
