"""How long previews take that facets answer: `make bench ARGS=previews`, sizes by BENCH_MEMBERS.

The vault's rows are made by SQL, seconds for a million, so their profiles are no ciphertexts: a preview opens no more
than its twenty samples, and they are not opened here. Every kind of rule is asked three times: while nobody is
suppressed; when a fifth is, three quarters of whom have left too; when besides a domain is, and some by the operator.
"""

import os
import time
from collections.abc import Sequence
from statistics import median
from typing import Any
from uuid import UUID

import asyncpg

from core import ids
from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from members.accounts import open_account
from members.attributes import AttributeStore, load_definitions
from members.audience import Audience, AudienceSource
from members.facets import match_token
from members.groups import GroupStore
from members.kek import Kek
from members.keyring import KeyRings
from members.previews import SAMPLES
from members.topics import TopicStore
from tests.benchmarks import processor_time
from tests.benchmarks.figure import Figure
from tracking.engagement import MemberEngagement

MEMBERS = int(os.environ.get("BENCH_MEMBERS", "100000"))
BATCH = 100_000
ROUNDS = 5
CITIES = ("tokyo", "osaka", "nagoya", "sapporo", "fukuoka")
PLANS = ("gold", "silver", "bronze", "none")

MAKE = """
INSERT INTO member (account_id, member_id, status, sealed, facets, tag, suppression_hash)
SELECT $1, (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
            || substr(md5(n::text), 4, 15))::uuid, 'active', sha512(n::text::bytea) || sha512(n::text::bytea),
       jsonb_build_object('open', jsonb_build_object('city', ($4::text[])[1 + abs(hashint4(n)) % 5],
                                                     'age', 15 + abs(hashint4(n + 7)) % 75),
                          'match', jsonb_build_object('plan', ($5::text[])[1 + abs(hashint4(n + 3)) % 4]))
       || CASE WHEN n % 10 = 0 THEN jsonb_build_object('groups', jsonb_build_array($6::text)) ELSE '{}' END
       || CASE WHEN n % 3 = 0 THEN jsonb_build_object('topics', jsonb_build_array($7::text)) ELSE '{}' END,
       n % 5000, sha256(n::text::bytea)
FROM generate_series($2::integer, $3::integer - 1) AS n
"""
SUPPRESS = """
INSERT INTO suppression (account_id, hash, scope, reason, occurred_at)
SELECT account_id, suppression_hash, 'all',
       CASE WHEN get_byte(suppression_hash, 1) < 192 THEN 'unsubscribed' ELSE 'bounced' END, app.now()
FROM member WHERE account_id = $1 AND get_byte(suppression_hash, 0) < 51
"""
SUPPRESS_APART = """
INSERT INTO suppression (account_id, hash, scope, reason, occurred_at)
SELECT account_id, suppression_hash, 'global', 'complained', app.now()
FROM member WHERE account_id = $1 AND get_byte(suppression_hash, 0) < 102 AND get_byte(suppression_hash, 1) = 0
UNION ALL SELECT $1, int8send(1), 'all', 'manual', app.now()
"""
LEAVE = """
UPDATE member SET status = 'unsubscribed'
WHERE account_id = $1 AND get_byte(suppression_hash, 0) < 51 AND get_byte(suppression_hash, 1) < 192
"""
STATES = {
    "nobody suppressed": (),
    "a fifth suppressed": (SUPPRESS, LEAVE),
    "a fifth, and by operator and domain": (SUPPRESS_APART,),
}


def _rules(group: UUID, topic: UUID) -> dict[str, Any]:
    return {
        "everybody": {"all": []},
        "equality, a fifth": {"attribute": "city", "equals": "tokyo"},
        "a range, a tenth": {"attribute": "age", "between": [20, 27]},
        "greater, half": {"attribute": "age", "greater": 51},
        "a part of a text": {"attribute": "city", "contains": "Oya"},
        "the beginning of a text": {"attribute": "city", "starts_with": "to"},
        "is set": {"attribute": "city", "is_set": True},
        "nobody": {"attribute": "age", "greater": 200},
        "matchable, a quarter": {"attribute": "plan", "equals": "gold"},
        "matchable, all but a quarter": {"attribute": "plan", "not_equals": "gold"},
        "two of five and a range": {
            "all": [{"attribute": "city", "in": ["tokyo", "osaka"]}, {"attribute": "age", "greater": 50}]
        },
        "a group, a tenth": {"group": ids.encode("grp", group)},
        "a topic, a third": {"topic": ids.encode("top", topic)},
    }


async def measure(dsns: Dsns) -> list[Figure]:
    """Fill a vault and ask every rule of it, before and after a fifth is suppressed; return the figures."""
    vault, main = await open_pool(dsns.members, name="bench"), await open_pool(dsns.main, name="bench")
    owner = await open_pool(dsns.members_owner, name="bench", max_size=1)
    try:
        account_id, rules = await _filled(vault, owner)
        source = AudienceSource(vault, KeyRings(vault, Kek(bytes(32))), MemberEngagement(main))
        asked = {name: await source.of_rule(account_id, rule) for name, rule in rules.items() if name != "everybody"}
        asked["everybody"] = await source.resolve(account_id, {"all": True})
        figures = []
        for state, changes in STATES.items():
            await _change(owner, account_id, changes)
            figures += [await _figure(source, account_id, asked[name], name, state) for name in rules]
        return figures
    finally:
        for pool in (vault, main, owner):
            await close_pool(pool)


async def _change(owner: asyncpg.Pool, account_id: UUID, changes: Sequence[str]) -> None:
    async with owner.acquire() as connection:
        # Of millions it takes longer than a service's statement may.
        await connection.execute("SET statement_timeout = 0")
        for change in changes:
            await connection.execute(change, account_id, timeout=600)
        for table in ("suppression", "member"):
            await connection.execute(f"VACUUM ANALYZE {table}", timeout=600)


async def _figure(source: AudienceSource, account_id: UUID, wanted: Audience, name: str, state: str) -> Figure:
    times, matching = [], 0
    busy = processor_time.busy()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        told = await source.at_once(account_id, wanted, SAMPLES)
        times.append(time.perf_counter() - began)
        if told is None:
            raise RuntimeError(f"A preview of {name} takes more than facets")
        matching = told[0].matching
    busy = (processor_time.busy() - busy) / ROUNDS
    told_ = f"{matching:,} of {MEMBERS:,}, {state}; all processes of the machine {busy * 1000:,.0f} ms"
    return {"name": f"preview: {name}", "value": median(times) * 1000, "unit": "ms", "conditions": told_}


async def _filled(vault: asyncpg.Pool, owner: asyncpg.Pool) -> tuple[UUID, dict[str, Any]]:
    """Make an account of MEMBERS; return it and the rules to ask of it."""
    new_id = IdSource(SystemClock())
    kek, account_id = Kek(bytes(32)), new_id()
    await open_account(vault, kek, account_id, new_id)
    attributes = AttributeStore(vault, new_id)
    await attributes.define(account_id, "city", "text", protection="open")
    await attributes.define(account_id, "age", "number", protection="open")
    await attributes.define(account_id, "plan", "text", protection="matchable")
    ring, known = await KeyRings(vault, kek).ring(account_id), await load_definitions(vault, account_id)
    plans = [match_token(ring, ring.primary_index, known["plan"], plan) for plan in PLANS]
    group = (await GroupStore(vault, new_id).create(account_id, "staff")).group_id
    topic = (await TopicStore(vault, new_id).create(account_id, "news", {})).topic_id
    async with owner.acquire() as connection:
        await connection.execute("SET statement_timeout = 0")
        for first in range(0, MEMBERS, BATCH):
            end = min(first + BATCH, MEMBERS)
            await connection.execute(MAKE, account_id, first, end, CITIES, plans, str(group), str(topic), timeout=600)
    return account_id, _rules(group, topic)
