"""The hot statements stay on their indexes, whatever the planner believes of a young partition."""

import asyncpg
import pytest

from core.ids import IdSource
from delivery import ledger, queue
from tests.support.delivery import arrange_run

ROWS = 20_000


@pytest.mark.parametrize("analysed", [False, True])
@pytest.mark.parametrize("how", ["EXPLAIN", "EXPLAIN (GENERIC_PLAN)"])  # the second is how workers plan: once
async def test_intents_and_results_read_no_table_from_end_to_end(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource, analysed: bool, how: str
) -> None:
    run = await arrange_run(main, new_id, ["a@example.jp"])
    owner = new_id()
    await main_owner.execute(
        "INSERT INTO intent SELECT $1, n, 1, 1, 1, $2, now() FROM generate_series(1, $3) AS n", run.run_id, owner, ROWS
    )
    await main_owner.execute(
        "INSERT INTO recipient SELECT $1, n, gen_random_uuid(), 1 FROM generate_series(2, $2) AS n", run.run_id, ROWS
    )
    await main_owner.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) "
        "SELECT $1, gen_random_uuid(), 'unsubscribed', now() FROM generate_series(1, $2)",
        *(run.account_id, ROWS),
    )
    if analysed:
        await main_owner.execute("ANALYZE intent, recipient, stop")
    filled = [
        await main_owner.fetchval(f"SELECT tableoid::regclass::text FROM {table} LIMIT 1")
        for table in ("intent", "recipient", "stop")
    ]
    seqs = list(range(1, 201))
    given = [run.run_id] * 200, seqs, [1] * 200
    empty = [None] * 200
    said = (["accepted"] * 200, empty, empty, empty, [0.0] * 200, [False] * 200, empty, empty, [])
    statements: dict[str, tuple[object, ...]] = {
        "record": (owner, *given, *said),
        "intend": (owner, *given, [owner] * 200, seqs, seqs, True),
        "fresh_recipients": (seqs, [run.run_id] * 200, seqs, seqs),
    }
    for name, arguments in statements.items():
        statement = (queue.SQL | ledger.SQL)[name]
        plan = "\n".join(row[0] for row in await main.fetch(f"{how} {statement}", *arguments))
        # The other months' partitions are empty: reading those from end to end costs nothing.
        for table in filled:
            assert f"Seq Scan on {table}" not in plan, f"{name}:\n{plan}"
