"""What every worker asks several times a second reads only what it asks about, however much there is."""

import asyncpg
import pytest

from delivery.pacing.permits import SQL
from delivery.pacing.wants import Pair
from tests.integration.delivery.pacing.workers import Hire

ROWS = 5_000


@pytest.mark.parametrize("analysed", [False, True])
async def test_a_look_reads_no_table_from_end_to_end(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, hire: Hire, pair: Pair, analysed: bool
) -> None:
    worker = await hire()
    await main_owner.execute(
        "INSERT INTO site (digest) SELECT decode(lpad(to_hex(n), 32, '0'), 'hex') FROM generate_series(1, $1) n", ROWS
    )
    await main_owner.execute(
        "INSERT INTO pace (source_id, site_id, slots, phase_at, allowed, connections, limits_at) "
        "SELECT $1, site_id, 5, now(), 5, 5, now() FROM site WHERE site_id > 0 ON CONFLICT DO NOTHING",
        pair[0],
    )
    await main_owner.execute(
        "INSERT INTO permit SELECT source_id, site_id, n, $1 FROM pace, generate_series(0, 4) n", worker.owner
    )
    await main_owner.execute("INSERT INTO want SELECT source_id, site_id, $1, 5 FROM pace", worker.owner)
    await main_owner.execute(
        "INSERT INTO restriction (source_id, site_id, connections, ends_at, reason, imposed_by) "
        "SELECT source_id, site_id, 0, now() + interval '1 hour', 'dead', 'unreachable' FROM pace"
    )
    if analysed:
        await main_owner.execute("ANALYZE")
    sites = [row["site_id"] for row in await main.fetch("SELECT site_id FROM pace ORDER BY site_id LIMIT 50")]
    for mode in ("force_custom_plan", "force_generic_plan"):
        async with main.acquire() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
            rows = await connection.fetch(f"EXPLAIN {SQL['look']}", worker.owner, "bulk", [pair[0]] * len(sites), sites)
        plan = "\n".join(row[0] for row in rows)
        for table in ("pace", "permit", "want", "restriction"):
            assert f"Seq Scan on {table}" not in plan, f"{mode}:\n{plan}"
