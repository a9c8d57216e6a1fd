"""Who reads a range of members walks their rows and their keys side by side, whatever the planner knows of them."""

import asyncpg
import pytest

from members import scan
from members.resealing import run
from tests.support.resealing import House

STATEMENTS = {
    "a scan": (scan.SQL["plan_in_order"], scan.SQL["members"], (None,)),
    "a re-sealing": (run.SQL["plan_in_order"], run.SQL["lagging_rows"], (2, False)),
}


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("reader", STATEMENTS)
async def test_a_range_is_read_in_the_order_of_both_keys_and_nothing_beyond_it(
    house: House, vault: asyncpg.Pool, vault_owner: asyncpg.Pool, reader: str, analyzed: bool
) -> None:
    ids = await house.filled()
    if analyzed:
        await vault_owner.execute("ANALYZE member, keys.member_key")
    planned, statement, rest = STATEMENTS[reader]
    async with vault.acquire() as connection, connection.transaction():
        await connection.execute(planned)
        arguments = (house.account, ids[0], ids[-1], *rest)
        plan = [row[0] for row in await connection.fetch(f"EXPLAIN (COSTS OFF) {statement}", *arguments)]
    assert plan[0].startswith("Merge ")
    scans = [line.strip(" ->").rpartition(" on ")[0] for line in plan if " Scan " in line]
    assert sorted(scans) == ["Index Scan using member_key_pkey", "Index Scan using member_pkey"]
    bounds = [line for line in plan if "Index Cond" in line]
    assert len(bounds) == 2
    assert all("member_id > " in line and "member_id <= " in line for line in bounds)
    assert not any(" Sort" in line for line in plan)


async def test_what_comes_after_a_scan_is_planned_freely_again(vault: asyncpg.Pool) -> None:
    switches = ("enable_nestloop", "enable_hashjoin", "enable_sort")

    async def told(connection: asyncpg.pool.PoolConnectionProxy) -> list[str]:
        return [await connection.fetchval("SELECT current_setting($1)", name) for name in switches]

    async with vault.acquire() as connection, connection.transaction():
        usual = await told(connection)
        await connection.execute(scan.SQL["plan_in_order"])
        assert set(await told(connection)) == {"off"}
        await connection.execute(scan.SQL["plan_freely"])
        assert await told(connection) == usual
