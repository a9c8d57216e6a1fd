"""The hot statements stay on their indexes, whatever the planner believes of a young partition."""

import asyncpg
import pytest

from core.ids import IdSource
from delivery.ledger import SQL
from tests.support.delivery import arrange_run

ROWS = 20_000


@pytest.mark.parametrize("analysed", [False, True])
async def test_intents_and_results_read_no_table_from_end_to_end(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource, analysed: bool
) -> None:
    run = await arrange_run(main, new_id, ["a@example.jp"])
    owner = new_id()
    await main_owner.execute(
        "INSERT INTO intent SELECT $1, n, 1, 1, 1, $2, now() FROM generate_series(1, $3) AS n", run.run_id, owner, ROWS
    )
    if analysed:
        await main_owner.execute("ANALYZE intent")
    filled = await main_owner.fetchval("SELECT tableoid::regclass::text FROM intent LIMIT 1")
    seqs = list(range(1, 201))
    given = [run.run_id] * 200, seqs, [1] * 200
    empty = [None] * 200
    statements = {
        "record": (owner, *given, ["accepted"] * 200, empty, empty, empty, [0.0] * 200, [False] * 200, empty, empty),
        "intend": (owner, *given, [owner] * 200, seqs, seqs, True),
    }
    for name, arguments in statements.items():
        plan = "\n".join(row[0] for row in await main.fetch(f"EXPLAIN {SQL[name]}", *arguments))
        # The other months' partitions are empty: reading those from end to end costs nothing.
        assert f"Seq Scan on {filled}" not in plan, f"{name}:\n{plan}"
