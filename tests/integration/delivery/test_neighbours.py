"""Workers of one machine stand in for each other as long as they live, whatever comes between."""

from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

from core.ids import IdSource
from delivery import neighbours
from delivery.journal import Journal
from deploy.dsns import Dsns
from tests.support.delivery import a_worker
from tests.support.waiting import eventually

TRIES = "SELECT query_start FROM pg_stat_activity WHERE application_name = 'neighbour' AND wait_event_type = 'Lock'"
IMPATIENT = {"application_name": "neighbour", "statement_timeout": "100ms"}


async def test_who_could_not_take_over_tries_again(
    main: asyncpg.Pool, dsns: Dsns, new_id: IdSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "REPLAY_EVERY", 0.01)
    dead = await a_worker(main, new_id)
    async with (
        asyncpg.create_pool(dsns.main, min_size=0, max_size=1, server_settings=IMPATIENT) as pool,
        neighbours.beside(pool, tmp_path, new_id()),
        main.acquire() as other,
    ):

        async def tries() -> datetime | None:
            began: datetime | None = await main.fetchval(TRIES)
            return began

        async def taken_over() -> bool:
            return bool(await main.fetchval("SELECT reaped_at IS NOT NULL FROM worker WHERE owner = $1", dead))

        async with other.transaction():
            await other.execute("SELECT FROM worker WHERE owner = $1 FOR UPDATE", dead)
            Journal.create(tmp_path, owner=dead, boot_id=neighbours.this_boot()).close(remove=False)
            first = await eventually(tries)

            async def again() -> bool:
                return await tries() not in (None, first)

            await eventually(again)
        await eventually(taken_over)
    assert list(tmp_path.iterdir()) == []
