"""Writers of several processes against rotations without a pause: nothing is lost, doubled or brought back."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.database import close_pool, open_pool
from core.errors import NotFound, Tampered
from core.ids import IdSource
from deploy.dsns import Dsns
from members.attributes import AttributeStore
from members.errors import AddressTaken, NotAcknowledged
from members.groups import GroupStore
from members.holders import Holder
from members.imports import ImportStore, run_import
from members.kek import Kek
from members.keyring import KeyRings, Ring
from members.members import MemberStore
from members.resealing import reseal
from members.rotation import Purpose, Rotation
from members.vault import open_row
from tests.support.segments import matching
from tests.support.waiting import eventually


@dataclass
class Known:
    """What one writer knows to be true: its members are its own, so nobody else changes them."""

    members: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    erased: set[UUID] = field(default_factory=set)
    grouped: set[UUID] = field(default_factory=set)
    refused: int = 0
    steps: int = 0


@dataclass
class Race:
    """One account, and what its writers and its rotator share."""

    pool: asyncpg.Pool
    kek: Kek
    account: UUID
    new_id: IdSource
    clock: Clock
    group: UUID
    over: asyncio.Event = field(default_factory=asyncio.Event)
    stolen: list[Ring] = field(default_factory=list)

    @asynccontextmanager
    async def process(self, kind: str) -> AsyncIterator[KeyRings]:
        """What a process of its own would have: its rings, and a place among the holders."""
        holder = Holder(self.pool, self.clock, holder=self.new_id(), kind=kind, seconds=10, beat=0.02)
        rings = KeyRings(self.pool, self.kek, current=holder.current)
        async with holder.kept(rings):
            yield rings

    async def write(self, rings: KeyRings, name: str, known: Known) -> None:
        """Create, change, move, group and erase members of one's own until it is over."""
        store, groups = MemberStore(self.pool, rings, self.new_id), GroupStore(self.pool, self.new_id)
        chance = random.Random(name)
        while not self.over.is_set():
            known.steps += 1
            chosen = chance.choice(sorted(known.members)) if known.members else None
            match chance.randrange(6) if chosen else 0:
                case 0 | 1:
                    address, plan = f"{name}.{known.steps}@example.jp", f"p{chance.randrange(3)}"
                    made = await store.create(self.account, address, {"plan": plan, "name": name})
                    known.members[made.member_id] = (address, plan)
                case 2 if chosen:
                    address, plan = known.members[chosen][0], f"p{chance.randrange(3)}"
                    revision = (await store.get(self.account, chosen)).revision
                    await store.change(self.account, chosen, revision, values={"plan": plan})
                    known.members[chosen] = (address, plan)
                case 3 if chosen:
                    address, plan = f"{name}.moved{known.steps}@example.jp", known.members[chosen][1]
                    revision = (await store.get(self.account, chosen)).revision
                    await store.change(self.account, chosen, revision, address=address)
                    known.members[chosen] = (address, plan)
                case 4 if chosen:
                    await (groups.take_out if chosen in known.grouped else groups.add)(
                        self.account, self.group, [chosen]
                    )
                    known.grouped ^= {chosen}
                case _ if chosen:
                    with pytest.raises(AddressTaken):
                        await store.create(self.account, known.members[chosen][0].upper())
                    known.refused += 1
                    await store.erase(self.account, chosen)
                    del known.members[chosen]
                    known.grouped.discard(chosen)
                    known.erased.add(chosen)

    async def bring_in(self, rings: KeyRings, name: str, known: Known) -> None:
        """Import files, half of whose rows change the members of the file before."""
        imports, members = ImportStore(self.pool, rings, self.new_id), MemberStore(self.pool, rings, self.new_id)
        while not self.over.is_set():
            known.steps += 1
            rows = {f"{name}.{known.steps + n // 10}.{n % 10}@example.jp": f"p{known.steps % 3}" for n in range(20)}
            import_id = await imports.begin(self.account)
            file = "email,plan\n" + "".join(f"{address},{plan}\n" for address, plan in rows.items())
            await imports.add_block(self.account, import_id, 0, file.encode())
            await imports.submit(self.account, import_id, {}, "form")
            await run_import(self.pool, rings, import_id, self.new_id, self.clock, lambda: True)
            done = await imports.get(self.account, import_id)
            assert (done.state, done.rejected, done.created + done.updated + done.unchanged) == ("finished", 0, 20)
            for address, plan in rows.items():
                known.members[(await members.by_address(self.account, address)).member_id] = (address, plan)

    async def rotate(self, rings: KeyRings, rounds: int) -> None:
        """Exchange both keys again and again, as fast as the rules let it."""
        rotation = Rotation(self.pool, self.kek, os.urandom)
        purposes: tuple[Purpose, ...] = ("seal", "index")
        for number in range(rounds):
            self.stolen.append(await rings.ring(self.account))
            for purpose in purposes[: 1 + number % 2] if number else purposes:
                await rotation.add(self.account, purpose)
                await _acknowledged(lambda purpose=purpose: rotation.promote(self.account, purpose))
                await reseal(self.pool, rings, self.account, lambda: True)
                await _acknowledged(lambda purpose=purpose: rotation.retire(self.account, purpose))


async def _acknowledged(call: Callable[[], Awaitable[object]]) -> None:
    async def tried() -> bool:
        try:
            await call()
        except NotAcknowledged:
            return False
        return True

    await eventually(tried)


async def race(dsns: Dsns, vault: asyncpg.Pool, kek: Kek, account: UUID, clock: Clock, *, rounds: int) -> None:
    new_id = IdSource(clock)
    await AttributeStore(vault, new_id).define(account, "plan", "text", protection="matchable")
    group = await GroupStore(vault, new_id).create(account, "VIP")
    pool = await open_pool(dsns.members, name="race", max_size=12)
    here = Race(pool, kek, account, new_id, clock, group.group_id)
    known = {name: Known() for name in ("api-1", "api-2", "api-3", "api-4", "file-1", "file-2")}
    try:
        async with AsyncExitStack() as processes:
            rings = [await processes.enter_async_context(here.process("api")) for _ in range(3)]
            writing = [
                asyncio.create_task(
                    (here.bring_in if name.startswith("file") else here.write)(rings[n % 3], name, mine)
                )
                for n, (name, mine) in enumerate(known.items())
            ]
            try:
                await here.rotate(rings[0], rounds)
            finally:
                here.over.set()
                await asyncio.gather(*writing)
        await _judge(here, list(known.values()))
    finally:
        await close_pool(pool)


async def _judge(here: Race, known: list[Known]) -> None:
    assert all(writer.steps > 1 for writer in known), "a writer was starved"
    assert any(writer.refused for writer in known)
    expected = {member_id: told for writer in known for member_id, told in writer.members.items()}
    erased = set().union(*(writer.erased for writer in known))
    rings = KeyRings(here.pool, here.kek)
    store = MemberStore(here.pool, rings, here.new_id)
    rows = {row["member_id"]: row for row in await here.pool.fetch(
        "SELECT m.*, k.ring_version, k.wrapped FROM member m JOIN keys.member_key k USING (account_id, member_id)"
    )}  # fmt: skip
    assert rows.keys() == expected.keys()
    grouped = set().union(*(writer.grouped for writer in known))
    for member_id, (address, plan) in expected.items():
        found = await store.by_address(here.account, address)
        assert (found.member_id, found.address, found.values["plan"]) == (member_id, address, plan)
        assert bool(found.groups) == (member_id in grouped)
        with pytest.raises(AddressTaken):
            await store.create(here.account, address)
        for ring in here.stolen:
            with pytest.raises(Tampered):
                open_row(ring, rows[member_id])
    for member_id in erased:
        with pytest.raises(NotFound):
            await store.get(here.account, member_id)
    for table in ("member", "keys.member_key", "address_index"):
        assert await here.pool.fetchval(f"SELECT count(*) FROM {table}") == len(expected), table
    for plan in ("p0", "p1", "p2"):
        found = await matching(here.pool, rings, here.account, {"attribute": "plan", "equals": plan})
        assert found == sum(told == plan for _, told in expected.values())


async def test_writers_and_rotations_never_see_each_other(
    dsns: Dsns, vault: asyncpg.Pool, kek: Kek, account: UUID, clock: Clock
) -> None:
    await race(dsns, vault, kek, account, clock, rounds=3)


@pytest.mark.chaos
async def test_writers_and_rotations_never_see_each_other_at_length(
    dsns: Dsns, vault: asyncpg.Pool, kek: Kek, account: UUID, clock: Clock
) -> None:
    await race(dsns, vault, kek, account, clock, rounds=40)
