"""How fast sealed values are scanned: `make bench ARGS=segments`.

Members are sealed as an import seals them and stand in a vault of `BENCH_MEMBERS`. Rules are asked as a worker makes a
preview, beside what no scan can do without, in the same run. What facets answer: tests/benchmarks/previews.py.
"""

import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from deploy.dsns import Dsns
from members.accounts import open_account
from members.addresses import parse
from members.attributes import AttributeStore, load_definitions
from members.audience import AudienceSource
from members.facets import match_token
from members.kek import Kek
from members.keyring import KeyRings, Ring
from members.member import new_rows
from members.previews import PreviewStore
from members.profile import Value
from members.sealer import RANDOM_BYTES
from tests.benchmarks.figure import Figure
from tracking.engagement import MemberEngagement

MEMBERS = int(os.environ.get("BENCH_MEMBERS", "100000"))
BATCH = 10_000
FLOOR = 20_000
NAMES = ("佐藤 太郎", "鈴木 花子", "高橋 一郎", "田中 美咲", "伊藤 健", "John Smith", "Mary Jones")
CITIES = ("tokyo", "osaka", "nagoya", "sapporo", "fukuoka")
PLANS = ("gold", "silver", "bronze", "none")

SCANNED: dict[str, Any] = {
    "sealed, a part of the name": {"attribute": "name", "contains": "田中"},
    "sealed, two tests": {
        "any": [{"attribute": "name", "equals": "John Smith"}, {"attribute": "joined", "before": "2020-02-01"}]
    },
    "sealed, of a fifth by city": {
        "all": [{"attribute": "city", "equals": "tokyo"}, {"attribute": "joined", "before": "2022-01-01"}]
    },
    "last open in 30 days, or none": {"any": [{"last_open": {"within_days": 30}}, {"last_click": {"never": True}}]},
}


@dataclass
class Bench:
    """One account full of members, and how rules are asked of it."""

    vault: asyncpg.Pool
    main: asyncpg.Pool
    rings: KeyRings
    account_id: UUID
    new_id: IdSource

    @property
    def audiences(self) -> AudienceSource:
        return AudienceSource(self.vault, self.rings, MemberEngagement(self.main))

    @property
    def previews(self) -> PreviewStore:
        return PreviewStore(self.vault, self.rings, self.audiences)

    async def scanned(self, rule: Any) -> int:
        preview_id = self.new_id()
        audience = await self.audiences.of_rule(self.account_id, rule)
        await self.previews.begin(self.account_id, preview_id, audience)
        await self.previews.run(self.account_id, preview_id, lambda: True)
        return (await self.previews.get(self.account_id, preview_id)).found.count.matching


async def measure(dsns: Dsns) -> list[Figure]:
    """Fill a vault and ask; return the figures."""
    vault, main = await open_pool(dsns.members, name="bench"), await open_pool(dsns.main, name="bench")
    owner = await open_pool(dsns.members_owner, name="bench")
    try:
        bench = await _filled(vault, main)
        for pool, table in ((owner, "member"), (owner, "keys.member_key")):
            await pool.execute(f"VACUUM ANALYZE {table}")
        figures = []
        floor = await _floor(bench)
        figures.append(_figure("bare opens", 1 / floor, "1/s", "unwrap a member's key, open the profile; one core"))
        for name, rule in SCANNED.items():
            busy, began = time.process_time(), time.perf_counter()
            matching = await bench.scanned(rule)
            seconds, cpu = time.perf_counter() - began, time.process_time() - busy
            told = f"{matching:,} of {MEMBERS:,}; Python's own time {cpu / MEMBERS * 1e6:.1f} µs a member"
            figures.append(_figure(f"scan: {name}", MEMBERS / seconds, "members/s", told))
            if name.startswith("sealed, a part"):
                figures.append(_figure("… to bare opens", MEMBERS / cpu * floor, "", "by Python's own time"))
        return figures
    finally:
        for pool in (vault, main, owner):
            await close_pool(pool)


def _figure(name: str, value: float, unit: str, conditions: str) -> Figure:
    return Figure(name=name, value=round(value, 2), unit=unit, conditions=conditions)


async def _floor(bench: Bench) -> float:
    """Seconds of processor time that opening one member takes, and nothing else done."""
    rows = await bench.vault.fetch(
        "SELECT m.member_id, m.sealed, k.wrapped FROM member m JOIN keys.member_key k USING (account_id, member_id)"
        " WHERE m.account_id = $1 ORDER BY m.member_id LIMIT $2",
        bench.account_id,
        FLOOR,
    )
    ring, account = await bench.rings.ring(bench.account_id), bench.account_id.bytes
    ready = []
    for member_id, sealed, wrapped in rows:
        member = member_id.bytes
        ready.append(
            (
                wrapped[:12],
                wrapped[12:],
                account + b"member_key" + (1).to_bytes(4, "big") + member,
                sealed[5:17],
                sealed[17:],
                sealed[:5] + account + b"member" + member,
            )
        )
    cipher = ring.sealing[1]
    began = time.process_time()
    for key_nonce, wrapped, key_aad, nonce, sealed, aad in ready:
        AESGCM(cipher.decrypt(key_nonce, wrapped, key_aad)).decrypt(nonce, sealed, aad)
    return (time.process_time() - began) / len(ready)


async def _filled(vault: asyncpg.Pool, main: asyncpg.Pool) -> Bench:
    new_id = IdSource(SystemClock())
    kek, account_id, chance = Kek(bytes(32)), new_id(), random.Random(1)
    await open_account(vault, kek, account_id, new_id)
    await main.execute("INSERT INTO account (account_id, name) VALUES ($1, 'bench')", account_id)
    attributes = AttributeStore(vault, new_id)
    await attributes.define(account_id, "city", "text", protection="open")
    await attributes.define(account_id, "age", "number", protection="open")
    await attributes.define(account_id, "plan", "text", protection="matchable")
    await attributes.define(account_id, "joined", "date")
    bench = Bench(vault, main, KeyRings(vault, kek), account_id, new_id)
    ring, definitions = await bench.rings.ring(account_id), await load_definitions(vault, account_id)
    for first in range(0, MEMBERS, BATCH):
        made = [
            _member(ring, definitions, new_id(), number, chance) for number in range(first, min(first + BATCH, MEMBERS))
        ]
        await _stored(bench, made, chance)
    return bench


def _member(ring: Ring, definitions: Any, member_id: UUID, number: int, chance: random.Random) -> Any:
    address = parse(f"member{number}@example.jp")
    values: dict[str, Value] = {
        "name": chance.choice(NAMES),
        "city": chance.choice(CITIES),
        "age": chance.randrange(15, 90),
        "plan": chance.choice(PLANS),
        "joined": f"20{chance.randrange(18, 27)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
    }
    plan = match_token(ring, ring.primary_index, definitions["plan"], values["plan"])
    facets = {"open": {"city": values["city"], "age": values["age"]}, "match": {"plan": plan}}
    return new_rows(ring, member_id, address, ring.hashes(address.key), values, facets, os.urandom(RANDOM_BYTES))


async def _stored(bench: Bench, made: Sequence[Any], chance: random.Random) -> None:
    member_ids = [one.member_id for one in made]
    await bench.vault.execute(
        "INSERT INTO member (account_id, member_id, status, sealed, facets, tag, suppression_hash)"
        " SELECT $1, m, 'active', s, f::jsonb, t, h"
        " FROM unnest($2::uuid[], $3::bytea[], $4::text[], $5::bigint[], $6::bytea[]) AS u (m, s, f, t, h)",
        bench.account_id,
        member_ids,
        [one.sealed for one in made],
        [orjson.dumps(one.facets).decode() for one in made],
        [one.tag for one in made],
        [one.hashes.suppression for one in made],
    )
    await bench.vault.execute(
        "INSERT INTO keys.member_key (account_id, member_id, ring_version, wrapped)"
        " SELECT $1, m, 1, w FROM unnest($2::uuid[], $3::bytea[]) AS u (m, w)",
        bench.account_id,
        member_ids,
        [one.wrapped for one in made],
    )
    opened = [member_id for member_id in member_ids if chance.random() < 0.4]
    await bench.main.execute(
        "INSERT INTO engagement (account_id, member_id, last_open_at)"
        " SELECT $1, m, app.now() - random() * interval '60 days' FROM unnest($2::uuid[]) AS u (m)",
        bench.account_id,
        opened,
    )
