"""How long each report takes on a large campaign: rows generated, and counters made of them by SQL.

BENCH_RECIPIENTS recipients (1,000,000) and BENCH_EVENTS events (five for each). Reports read counters alone, so that
what matters is how many of them there are: minutes of two days, quarters of an hour of the month after, sites, traits;
three years of quarters of an hour in which the list grew; and 1,000 runs of other campaigns in the period.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from statistics import quantiles
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from members.growth import GrowthStore
from tests.benchmarks.figure import Figure
from tests.support.runs import make_run
from tracking import breakdown, feed
from tracking.breakdown import BreakdownStore
from tracking.feed import EventFeed
from tracking.reports import ReportStore
from tracking.traits import TraitStore

RECIPIENTS = int(os.environ.get("BENCH_RECIPIENTS", "1000000"))
EVENTS = int(os.environ.get("BENCH_EVENTS", str(RECIPIENTS * 5)))
EVENTS_EACH = max(1, EVENTS // RECIPIENTS)
SITES = 500
VALUES = 50
"""Of each of three attributes."""
CELLS = 5_000
"""A multiple of the sites."""
OTHER_RUNS = 1_000
AT_A_TIME = 2
"""Connections that generate."""
AT_ONCE = 250_000
TIMES = 20
TOKYO = ZoneInfo("Asia/Tokyo")

_SITES = """
WITH made AS (INSERT INTO site (digest, provider)
              SELECT decode(md5(n::text), 'hex'), CASE WHEN n <= 20 THEN 'provider' || n END
              FROM generate_series(1, $1) n
              RETURNING site_id)
INSERT INTO destination (tag, site_id, resolved_at) SELECT row_number() OVER (), site_id, app.now() FROM made
"""
_RECIPIENTS = """
INSERT INTO recipient
SELECT $1, n, gen_random_uuid(), 1 + n % $4, 1 + n % $5 FROM generate_series($2::int, $3::int) n
"""
_RESULTS = """
INSERT INTO result (run_id, seq, try, outcome, site_id, at)
SELECT $1, n, 1, 'accepted', (SELECT min(site_id) FROM destination) + n % $4,
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
# A cell has one value of each attribute.
_TRAITS = """
WITH named AS (
    INSERT INTO trait SELECT $1, a * $2 + v, 'attribute', 'attribute' || a, 'value', 'value ' || v
    FROM generate_series(0, 2) a, generate_series(1, $2) v)
INSERT INTO cell SELECT $1, c, to_json(c)::text, ARRAY[1 + c % $2, $2 + 1 + (c / 7) % $2, 2 * $2 + 1 + (c / 11) % $2]
FROM generate_series(1, $3) c
"""
# As housekeeping breaks down and folds: minutes for two days, then quarters of an hour. One pass over the events; a
# recipient's site and cell follow from its number.
_COUNTED = """
CREATE TEMPORARY TABLE counted AS
SELECT app.minute_of(occurred_at) AS minute, seq % $2 AS cell, link, kind, label, count(*) AS total FROM event
WHERE run_id = $1
GROUP BY GROUPING SETS ((app.minute_of(occurred_at), kind, label), (seq % $2, kind, label), (link, kind, label))
UNION ALL
SELECT app.minute_of(at), seq % $2, -1, 'accepted', NULL, count(*) FROM result WHERE run_id = $1
GROUP BY GROUPING SETS ((app.minute_of(at)), (seq % $2), ())
"""
_TALLIES = """
INSERT INTO tally (run_id, kind, link, total, people)
SELECT $1, k.kind, l.link, sum(total), sum(total) / 3
FROM counted c
CROSS JOIN LATERAL (SELECT kind FROM unnest(CASE WHEN label IS NULL THEN ARRAY[c.kind]
                                                 ELSE app.breakdown_kinds(c.kind, label) END) AS kind) k
CROSS JOIN LATERAL (SELECT -1 AS link UNION SELECT c.link) l
WHERE minute IS NULL AND cell IS NULL GROUP BY k.kind, l.link
"""
_BREAKDOWNS = """
INSERT INTO breakdown
SELECT $1, n.dimension, n.value, k.kind, '', sum(total), sum(total) / 3
FROM (SELECT 'minute' AS dimension, kind, label, total,
             CASE WHEN minute > app.minute_of($2) + 2880 THEN minute - minute % 15 ELSE minute END AS value
      FROM counted WHERE minute IS NOT NULL
      UNION ALL
      SELECT 'site', kind, label, total, d.site_id FROM counted c JOIN destination d ON d.tag = 1 + c.cell % $3
      UNION ALL
      SELECT 'trait', kind, label, total, t.trait FROM counted c JOIN cell ON cell.run_id = $1 AND cell.no = 1 + c.cell
      CROSS JOIN LATERAL unnest(cell.traits) AS t (trait)) n
CROSS JOIN LATERAL (SELECT kind FROM unnest(CASE WHEN n.label IS NULL THEN ARRAY[n.kind]
                                                 ELSE app.breakdown_kinds(n.kind, n.label) END) AS kind) k
GROUP BY n.dimension, n.value, k.kind
"""
_OTHER_RUNS = """
WITH other AS (
    INSERT INTO campaign (campaign_id, account_id, name, sender_id, template_id, audience)
    SELECT app.new_id(), account_id, 'Others', sender_id, template_id, audience FROM campaign
    RETURNING campaign_id, account_id),
made AS (
    INSERT INTO run (run_id, account_id, campaign_id, state, starts_at, started_at, content_id, audience, weight,
                     snapshot)
    SELECT app.new_id(), other.account_id, other.campaign_id, 'finished', starts_at, started_at, content_id, audience,
           weight, 1000
    FROM run, other, generate_series(1, $1) RETURNING run_id)
INSERT INTO tally SELECT run_id, k, '', l, 500, 100
FROM made, unnest(ARRAY['accepted', 'failed', 'open', 'click', 'human_open', 'human_click']) k,
     generate_series(-1, 19) l
"""
_GROWTH = """
INSERT INTO growth (account_id, quarter, kind, total) SELECT $1, app.quarter_of(app.now()) - 3 * 35040 + n, k, 3 * n
FROM generate_series(0, 3 * 35040) n, unnest(ARRAY['active', 'joined', 'imported', 'unsubscribed', 'bounced']) k
"""


async def measure(dsns: Dsns) -> list[Figure]:
    """Return the figures."""
    main, vault = await open_pool(dsns.main, name="bench"), await open_pool(dsns.members, name="bench")
    owner, vault_owner = await asyncpg.connect(dsns.main_owner), await asyncpg.connect(dsns.members_owner)
    try:
        run = await make_run(main, IdSource(SystemClock()), recipients=1, state="finished")
        began = time.monotonic()
        await _generate(owner, dsns.main_owner, run.run_id)
        for _ in range(2):
            await feed.advance(main)
        await vault_owner.execute(_GROWTH, run.account_id)
        await vault_owner.execute("ANALYZE growth")
        made = Figure(name="generation", value=time.monotonic() - began, unit="s", conditions=_conditions())
        return [made, *await _read(main, vault, run.account_id, run.campaign_id)]
    finally:
        for connection in (owner, vault_owner):
            await connection.close()
        for pool in (main, vault):
            await close_pool(pool)


async def _fill(dsn: str, run_id: UUID, start: datetime, firsts: Sequence[int]) -> None:
    """Add the recipients from each of `firsts` on, what became of them and what they did."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET synchronous_commit = off")
    for first in firsts:
        span = (run_id, first, min(first + AT_ONCE - 1, RECIPIENTS))
        await connection.execute(_RECIPIENTS, *span, SITES, CELLS)
        await connection.execute(_RESULTS, *span, SITES, start)
        await connection.execute(_EVENTS, *span, start, EVENTS_EACH - 1)
    await connection.close()


async def _generate(owner: asyncpg.Connection, dsn: str, run_id: UUID) -> None:
    start: datetime = await owner.fetchval("SELECT starts_at FROM run WHERE run_id = $1", run_id)
    await owner.execute(_SITES, SITES)
    await owner.execute(_TRAITS, run_id, VALUES, CELLS)
    await owner.execute("UPDATE run SET snapshot = $1", RECIPIENTS)
    # Counted below, all at once.
    await owner.execute("ALTER TABLE result DISABLE TRIGGER USER")
    firsts = list(range(2, RECIPIENTS + 1, AT_ONCE))
    await asyncio.gather(*(_fill(dsn, run_id, start, firsts[part::AT_A_TIME]) for part in range(AT_A_TIME)))
    await owner.execute("ALTER TABLE result ENABLE TRIGGER USER")
    await owner.execute("VACUUM ANALYZE event, recipient, result")
    await owner.execute(_COUNTED, run_id, CELLS)
    await owner.execute(_TALLIES, run_id)
    await owner.execute(_BREAKDOWNS, run_id, start, SITES)
    await owner.execute(_OTHER_RUNS, OTHER_RUNS)
    await owner.execute("ANALYZE")


async def _read(main: asyncpg.Pool, vault: asyncpg.Pool, account_id: UUID, campaign_id: UUID) -> list[Figure]:
    reports, parts, events = ReportStore(main), BreakdownStore(main), EventFeed(main)
    traits, growth = TraitStore(main), GrowthStore(vault)
    since: datetime = await main.fetchval("SELECT min(starts_at) - interval '1 day' FROM run")
    now: datetime = await main.fetchval("SELECT app.now()")

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
        "attribute": lambda: traits.by_attribute(account_id, campaign_id, "attribute1"),
        "versions": lambda: reports.versions(account_id, campaign_id),
        "over_campaigns": lambda: reports.over(account_id, since, since + timedelta(days=2)),
        "growth_day_year": lambda: growth.read(account_id, now - timedelta(days=365), now, "day", TOKYO),
        "growth_month_3_years": lambda: growth.read(account_id, now - timedelta(days=1_095), now, "month", TOKYO),
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
    return f"{RECIPIENTS:,} recipients, {RECIPIENTS * EVENTS_EACH:,} events, {SITES} sites, {3 * VALUES} traits"
