"""A campaign to ten million begins on time: sending begins with the first slice, while the rest is being cut.

The first members are real; behind them the table is filled up with rows that only an audience's walk reads, for sealing
ten million takes an hour. The campaign is cancelled before those are sent to.
"""

import os
import time
from datetime import UTC, datetime, timedelta

import asyncpg

from core.ids import decode
from core.ways_out import RelaySettings
from tests.benchmarks import peers
from tests.benchmarks.figure import Figure
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

MEMBERS = int(os.environ.get("BENCH_VAST", "10000000"))
REAL = 60_000
BATCH = 500_000
AHEAD = 5.0

_FILL = """
    INSERT INTO member (account_id, member_id, status, sealed, facets, tag, suppression_hash)
    SELECT one.account_id, ('ffffffff-ffff-7fff-8fff-' || lpad(to_hex(n), 12, '0'))::uuid, 'active', one.sealed, '{}',
           one.tag, sha256(int8send(n))
    FROM (SELECT * FROM member LIMIT 1) AS one, generate_series($1::bigint, $2::bigint) AS n
"""


async def measure() -> list[Figure]:
    """Return the figures."""
    async with peers.sink() as (port, _):
        relay = RelaySettings(host="127.0.0.1", port=port, tls="none", connections=50)
        async with running_service(on_disk=True, relays=(relay,), workers=2, log_level="warning") as service:
            await service.import_members([f"member{n}@example.jp" for n in range(REAL)])
            await _fill(service)
            at = datetime.now(UTC) + timedelta(seconds=AHEAD)
            began = time.monotonic()
            campaign = await service.campaign(at=at)
            run = decode("run", (await service.get(f"/v1/campaigns/{campaign}"))["run"])
            late, cut = await _first_mail(service.main_owner, run)
            await eventually(lambda: _whole(service.main_owner, run), within=600, step=0.2)
            took = time.monotonic() - began
            sent = await service.main_owner.fetchval("SELECT count(*) FROM result WHERE outcome = 'accepted'")
            await service.post(f"/v1/campaigns/{campaign}/cancel")
    conditions = f"{MEMBERS:,} members, scheduled {AHEAD:.0f} s before its time"
    return [
        Figure(name="first_mail_late", value=late, unit="s", conditions=conditions),
        Figure(name="cut_by_then", value=cut, unit="", conditions="recipients in the snapshot when it was accepted"),
        Figure(name="audience_per_second", value=MEMBERS / took, unit="1/s", conditions="while mail was being sent"),
        Figure(name="sent_meanwhile", value=sent, unit="", conditions="messages, before the audience was whole"),
    ]


async def _fill(service: Service) -> None:
    owner = await asyncpg.connect(service.started.dsns.members_owner)
    try:
        for first in range(1, MEMBERS - REAL + 1, BATCH):
            await owner.execute(_FILL, first, min(first + BATCH - 1, MEMBERS - REAL))
        await owner.execute("VACUUM ANALYZE member")
    finally:
        await owner.close()


async def _first_mail(main: asyncpg.Pool, run: object) -> tuple[float, int]:
    """Return how late the run's first message was accepted, in seconds, and how many recipients were cut by then."""

    async def accepted() -> asyncpg.Record | None:
        return await main.fetchrow(
            "SELECT extract(epoch FROM first_sent_at - starts_at)::float AS late, snapshot FROM run "
            "WHERE run_id = $1 AND first_sent_at IS NOT NULL",
            run,
        )

    row = await eventually(accepted, within=120, step=0.02)  # type: ignore[arg-type]
    assert isinstance(row, asyncpg.Record)
    return row["late"], row["snapshot"]


async def _whole(main: asyncpg.Pool, run: object) -> bool:
    state: str = await main.fetchval("SELECT audience_state FROM run WHERE run_id = $1", run)
    return state == "whole"
