"""How long each report takes on a large campaign: rows generated, then broken down and folded as housekeeping does.

BENCH_RECIPIENTS recipients (1,000,000) and five events for each. Reports read counters alone, so that what matters is
how many of them there are: minutes of two days, quarters of an hour of the month after, sites.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from statistics import quantiles
from uuid import UUID

import asyncpg

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from tests.benchmarks.figure import Figure
from tests.support.runs import make_run
from tracking import breakdown, feed, tallies
from tracking.breakdown import BreakdownStore
from tracking.feed import EventFeed
from tracking.reports import ReportStore

RECIPIENTS = int(os.environ.get("BENCH_RECIPIENTS", "1000000"))
EVENTS_EACH = 5
SITES = 500
AT_ONCE = 100_000
TIMES = 20

_SITES = """
WITH made AS (INSERT INTO site (digest, provider)
              SELECT decode(md5(n::text), 'hex'), CASE WHEN n <= 20 THEN 'provider' || n END
              FROM generate_series(1, $1) n
              RETURNING site_id)
INSERT INTO destination (tag, site_id, resolved_at) SELECT row_number() OVER (), site_id, app.now() FROM made
"""
_RECIPIENTS = """
INSERT INTO recipient SELECT $1, n, gen_random_uuid(), 1 + n % $4 FROM generate_series($2::int, $3::int) n
"""
_RESULTS = """
INSERT INTO result (run_id, seq, try, outcome, reason, site_id, at)
SELECT $1, n, 1, 'accepted', 'accepted', (SELECT min(site_id) FROM destination) + n % $4,
       $5::timestamptz + make_interval(secs => n / 1000.0)
FROM generate_series($2::int, $3::int) n
"""
# Most opens come in the first hours, and some in every quarter of an hour of a month.
_EVENTS = """
INSERT INTO event (run_id, seq, kind, link, label, occurred_at)
SELECT $1, n, CASE WHEN k < 3 THEN 'open' ELSE 'click' END, CASE WHEN k < 3 THEN -1 ELSE k - 3 END,
       CASE WHEN random() < 0.3 THEN 'machine' ELSE 'human' END,
       $4::timestamptz + interval '30 days' * power(random(), 6)
FROM generate_series($2::int, $3::int) n, generate_series(0, $5) k
"""


async def measure(dsns: Dsns) -> list[Figure]:
    """Return the figures."""
    main, owner = await open_pool(dsns.main, name="bench"), await open_pool(dsns.main_owner, name="bench")
    try:
        run = await make_run(main, IdSource(SystemClock()), recipients=1, state="finished")
        await _generate(main, owner, run.run_id)
        await _count(main)
        return await _read(main, run.account_id, run.campaign_id)
    finally:
        await close_pool(main)
        await close_pool(owner)


async def _generate(main: asyncpg.Pool, owner: asyncpg.Pool, run_id: UUID) -> None:
    start: datetime = await main.fetchval("SELECT starts_at FROM run WHERE run_id = $1", run_id)
    await main.execute(_SITES, SITES)
    await main.execute("UPDATE run SET snapshot = $1", RECIPIENTS)
    for first in range(2, RECIPIENTS + 1, AT_ONCE):
        span = (run_id, first, min(first + AT_ONCE - 1, RECIPIENTS))
        await main.execute(_RECIPIENTS, *span, SITES)
        await main.execute(_RESULTS, *span, SITES, start)
        await main.execute(_EVENTS, *span, start, EVENTS_EACH - 1)
    await main.execute(
        "INSERT INTO tally (run_id, kind, link, total, people)"
        " SELECT run_id, kind, -1, count(*), count(DISTINCT seq) FROM event GROUP BY run_id, kind"
    )
    await owner.execute("ANALYZE")


async def _count(main: asyncpg.Pool) -> None:
    for _ in range(2):
        await feed.advance(main)
    while await breakdown.break_down(main):
        while await breakdown.fold(main) == breakdown.FOLD_ROWS:
            pass
    while await tallies.fold(main) == tallies.FOLD_ROWS:
        pass


async def _read(main: asyncpg.Pool, account_id: UUID, campaign_id: UUID) -> list[Figure]:
    reports, parts, events = ReportStore(main), BreakdownStore(main), EventFeed(main)
    since: datetime = await main.fetchval("SELECT starts_at - interval '1 day' FROM run")

    def series(step: breakdown.Step, hours: int) -> Callable[[], Awaitable[object]]:
        return lambda: parts.series(account_id, campaign_id, step, hours=hours, time_zone="Asia/Tokyo")

    reading: dict[str, Callable[[], Awaitable[object]]] = {
        "campaign": lambda: reports.campaign(account_id, campaign_id),
        "links": lambda: reports.links(account_id, campaign_id),
        "series_minute_48h": series("minute", 48),
        "series_hour_30d": series("hour", 720),
        "series_day_year": series("day", 24 * 366),
        "providers": lambda: parts.providers(account_id, campaign_id),
        "deliverability": lambda: parts.deliverability(account_id, since, since + timedelta(days=2)),
        "compare": lambda: reports.compare(account_id, [campaign_id] * 20),
        "events_500": lambda: events.read(account_id, after=RECIPIENTS),
    }
    return [_latency(name, await _timed(read)) for name, read in reading.items()]


async def _timed(read: Callable[[], Awaitable[object]]) -> list[float]:
    took = []
    for _ in range(TIMES):
        began = time.monotonic()
        await read()
        took.append(time.monotonic() - began)
        await asyncio.sleep(0)
    return took


def _latency(name: str, took: list[float]) -> Figure:
    worst = quantiles(took, n=20)[18] * 1000
    return Figure(name=name, value=worst, unit="ms", conditions=f"p95 of {TIMES}; {_conditions()}")


def _conditions() -> str:
    return f"{RECIPIENTS:,} recipients, {RECIPIENTS * EVENTS_EACH:,} events, {SITES} sites"
