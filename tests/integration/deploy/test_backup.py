"""Backups of a real vault and its campaigns, and what is there, and what is not, when they are restored."""

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.database import close_pool, open_pool
from core.errors import ConfigurationError, TodokuError
from core.ids import IdSource
from deploy.backup import sets
from deploy.backup.making import Made, back_up
from deploy.backup.replaying import Replayed
from deploy.backup.restoring import Restored, restore
from deploy.dsns import Dsns
from deploy.postgres import client
from members.accounts import open_account
from members.errors import Suppressed
from members.imports import Import, ImportStore, run_import
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.suppressions import SuppressionStore
from members.vault import Vault
from members.verification import verify_members
from tests.support.delivery import Arranged, arrange_run
from tests.support.postgres import Server, fresh_databases
from tracking.verify import verify

KEK = Kek(bytes(range(32)))
ADDRESSES = [f"member{n}@example.jp" for n in range(6)]


@dataclass
class House:
    """A vault of six members, and a run to them of which some were sent to."""

    dsns: Dsns
    main: asyncpg.Pool
    vault: asyncpg.Pool
    account: UUID
    members: list[UUID]
    new_id: IdSource
    clock: Clock

    @property
    def store(self) -> MemberStore:
        return MemberStore(self.vault, KeyRings(self.vault, KEK), self.new_id)

    async def back_up(self, to: Path, *, now: datetime | None = None) -> Made:
        return await back_up(
            self.dsns.main_owner,
            self.dsns.members_owner,
            to / "databases",
            to / "keys",
            now=now or self.clock.now(),
            say=lambda _line: None,
        )

    async def opened(self) -> set[UUID]:
        found = await Vault(self.vault, KeyRings(self.vault, KEK)).open_members(self.account, self.members)
        return {member.member_id for member in found}

    async def imported(self, *addresses: str) -> Import:
        store = ImportStore(self.vault, KeyRings(self.vault, KEK), self.new_id)
        made = await store.begin(self.account)
        await store.add_block(self.account, made, 0, "\n".join(["email", *addresses]).encode())
        await store.submit(self.account, made, {}, "a form")
        await run_import(self.vault, KeyRings(self.vault, KEK), made, self.new_id, self.clock, lambda: True)
        return await store.get(self.account, made)


@pytest.fixture
async def house(dsns: Dsns, main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource, clock: Clock) -> House:
    account = new_id()
    await open_account(vault, KEK, account, new_id)
    house = House(dsns, main, vault, account, [], new_id, clock)
    consent = Consent("form", clock.now() - timedelta(days=1))
    house.members = [
        (await house.store.create(account, address, {"name": "山田"}, consent=consent)).member_id
        for address in ADDRESSES
    ]
    return house


async def a_run(house: House, state: str) -> Arranged:
    """A run to all of them; of two it is known how their mail ended."""
    run = await arrange_run(house.main, house.new_id, ADDRESSES, account_id=house.account, state=state)
    await house.main.execute(
        "UPDATE recipient r SET member_id = t.member_id FROM unnest($1::uuid[]) WITH ORDINALITY AS t (member_id, seq) "
        "WHERE r.seq = t.seq AND r.run_id = $2",
        *(house.members, run.run_id),
    )
    if state == "running":
        await house.main.execute(
            "INSERT INTO intent SELECT $1, seq, 1, 1, (SELECT min(chunk_id) FROM chunk WHERE run_id = $1), $2, "
            "app.now() FROM generate_series(1, 2) AS seq",
            *(run.run_id, house.new_id()),
        )
        await house.main.execute(
            "INSERT INTO result (run_id, seq, try, outcome, at) "
            "SELECT $1, seq, 1, 'accepted', app.now() FROM generate_series(1, 2) AS seq",
            run.run_id,
        )
        await house.main.execute(
            "INSERT INTO tally_delta (run_id, kind, total, people) VALUES ($1, 'accepted', 2, 0)", run.run_id
        )
    return run


@asynccontextmanager
async def restored(
    house: House, server: Server, databases: Path, keys: Path, *replay: str
) -> AsyncIterator[tuple[House, Restored]]:
    """The sets brought back into databases of their own."""
    async with fresh_databases(server, empty=True) as dsns:
        done = await restore(
            databases, keys, dsns.main_owner, dsns.members_owner, replay=replay, say=lambda _line: None
        )
        main, vault = await open_pool(dsns.main, name="test"), await open_pool(dsns.members, name="test")
        try:
            yield House(dsns, main, vault, house.account, house.members, house.new_id, house.clock), done
        finally:
            await close_pool(main)
            await close_pool(vault)


async def test_what_was_backed_up_is_there_again_opens_and_may_be_worked_with(
    house: House, postgres_server: Server, tmp_path: Path
) -> None:
    made = await house.back_up(tmp_path)
    async with restored(house, postgres_server, made.databases, made.keys) as (again, done):
        assert done == Restored(0, Replayed())
        assert await again.opened() == set(house.members)
        assert [one async for one in verify_members(again.vault, KeyRings(again.vault, KEK))] == []
        await again.store.create(house.account, "later@example.jp")
        assert (await again.imported("another@example.jp", ADDRESSES[0])).created == 1


async def test_the_sets_hold_what_belongs_in_them_and_no_key_stands_beside_what_it_opens(
    house: House, tmp_path: Path
) -> None:
    made = await house.back_up(tmp_path)
    found = {path.name: _listed(path) for path in (*made.databases.glob("*.dump"), *made.keys.glob("*.dump"))}
    assert "TABLE DATA public run " in found["main.dump"]
    assert "TABLE DATA public member " in found["members.dump"]
    assert "keys" not in found["members.dump"].replace("schema_migration", "")
    assert "TABLE DATA keys member_key " in found["keys.dump"]
    assert " public " not in found["keys.dump"]
    manifest = sets.check(made.keys, "keys")
    assert manifest.versions.keys() == {
        "todoku", "main server", "members server", "main schema", "members schema",
    }  # fmt: skip


def _listed(dump: Path) -> str:
    with client.start("pg_restore", "--list", str(dump)) as process:
        assert process.stdout
        return process.stdout.read().decode()


async def test_runs_come_up_paused_with_the_reason_and_every_recipient_is_accounted_for(
    house: House, postgres_server: Server, tmp_path: Path
) -> None:
    under_way, later = await a_run(house, "running"), await a_run(house, "scheduled")
    made = await house.back_up(tmp_path)
    before = {check.run_id: check.counts for check in await verify(house.main)}
    async with restored(house, postgres_server, made.databases, made.keys) as (again, done):
        assert done.paused == 2
        rows = await again.main.fetch("SELECT run.state, lane.state AS lane, reason FROM run JOIN lane USING (run_id)")
        assert {(row["state"], row["lane"]) for row in rows} == {("pausing", "held")}
        assert all(row["reason"].startswith("restored from a backup of 20") for row in rows)
        checks = {check.run_id: check for check in await verify(again.main)}
        assert all(check.ok for check in checks.values()), checks
        assert {run_id: check.counts for run_id, check in checks.items()} == before
    assert before.keys() == {under_way.run_id, later.run_id}


async def test_an_erased_member_is_in_no_backup_once_the_keys_of_before_have_expired(
    house: House, postgres_server: Server, tmp_path: Path
) -> None:
    """Crypto-shredding, from end to end."""
    run = await a_run(house, "running")
    erased, now = house.members[0], house.clock.now()
    before = await house.back_up(tmp_path, now=now - timedelta(days=40))
    await house.store.erase(house.account, erased)
    after = await house.back_up(tmp_path)
    async with restored(house, postgres_server, before.databases, before.keys) as (again, _):
        # As long as the keys of before are there, so is the member: that is what expires.
        assert erased in await again.opened()

    for old in sets.expired(tmp_path / "keys", "keys", now, 30):
        shutil.rmtree(old)
    assert not before.keys.exists()

    async with _brought_back_by_hand(house, postgres_server, before.databases, after.keys) as again:
        # The row is in the old backup still, and says nothing any more.
        assert await again.vault.fetchval("SELECT count(*) FROM member WHERE member_id = $1", erased) == 1
        assert await again.opened() == set(house.members[1:])

    async with restored(house, postgres_server, before.databases, after.keys) as (again, done):
        assert done.replayed.erasures == 1
        assert await again.opened() == set(house.members[1:])
        assert [one async for one in verify_members(again.vault, KeyRings(again.vault, KEK))] == []
        for table in ("member", "address_index", "keys.member_key"):
            assert not await again.vault.fetchval(f"SELECT count(*) FROM {table} WHERE member_id = $1", erased)
        [check] = await verify(again.main, run.run_id)
        assert check.ok
        assert (check.counts["snapshot"], check.counts["accepted"]) == (6, 2)
        # Kept from mail and import by the hash alone, until the address signs up anew.
        done_import = await again.imported(ADDRESSES[0], "fresh@example.jp")
        assert (done_import.created, done_import.rejected) == (1, 1)
        with pytest.raises(Suppressed):
            await again.store.create(house.account, ADDRESSES[0], consent=Consent("form", now - timedelta(days=2)))
        anew = await again.store.create(
            house.account, ADDRESSES[0], consent=Consent("form", house.clock.now() + timedelta(seconds=30))
        )
        assert (anew.status, anew.member_id != erased) == ("active", True)


@asynccontextmanager
async def _brought_back_by_hand(house: House, server: Server, databases: Path, keys: Path) -> AsyncIterator[House]:
    """The dumps as pg_restore brings them back, with nothing repeated."""
    async with fresh_databases(server, empty=True) as dsns:
        for dump in (databases / "members.dump", keys / "keys.dump"):
            client.run("pg_restore", "--exit-on-error", "--no-owner", str(dump), dsn=dsns.members_owner)
        vault = await open_pool(dsns.members, name="test")
        try:
            yield House(dsns, house.main, vault, house.account, house.members, house.new_id, house.clock)
        finally:
            await close_pool(vault)


async def test_what_happened_since_is_repeated_from_databases_that_still_know_it(
    house: House, postgres_server: Server, tmp_path: Path
) -> None:
    made = await house.back_up(tmp_path)
    gone, left = house.members[1], house.members[2]
    await house.store.erase(house.account, gone)
    suppressions = SuppressionStore(house.vault, KeyRings(house.vault, KEK))
    await suppressions.add(house.account, "nobody@example.jp")
    await house.main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'unsubscribed', app.now())",
        *(house.account, left),
    )
    replay = (house.dsns.main_owner, house.dsns.members_owner)
    async with restored(house, postgres_server, made.databases, made.keys, *replay) as (again, done):
        # The suppression of the erased one came with the erasure.
        assert done.replayed == Replayed(erasures=1, stops=1, suppressions=1)
        assert await again.opened() == set(house.members) - {gone}
        assert (
            await again.main.fetchval("SELECT count(*) FROM stop WHERE member_id = $1 AND carried_at IS NULL", left)
            == 1
        )
        assert await SuppressionStore(again.vault, KeyRings(again.vault, KEK)).find(house.account, "nobody@example.jp")
    # Once more, and nothing is new.
    async with restored(house, postgres_server, made.databases, made.keys, *replay, *replay) as (_, done):
        assert done.replayed == Replayed(1, 1, 1)


async def test_members_who_came_after_the_backup_of_the_databases_leave_no_key_behind(
    house: House, postgres_server: Server, tmp_path: Path
) -> None:
    before = await house.back_up(tmp_path, now=datetime(2026, 1, 1, tzinfo=UTC))
    await house.store.create(house.account, "later@example.jp")
    after = await house.back_up(tmp_path)
    async with restored(house, postgres_server, before.databases, after.keys) as (again, _):
        assert [one async for one in verify_members(again.vault, KeyRings(again.vault, KEK))] == []
        assert await again.vault.fetchval("SELECT count(*) FROM keys.member_key") == len(ADDRESSES)


async def test_a_restore_into_databases_that_are_not_empty_is_refused_and_changes_nothing(
    house: House, postgres_server: Server, tmp_path: Path
) -> None:
    made = await house.back_up(tmp_path)
    async with fresh_databases(postgres_server, empty=True) as empty:
        for main, members in (
            (house.dsns.main_owner, empty.members_owner),
            (empty.main_owner, house.dsns.members_owner),
        ):
            with pytest.raises(ConfigurationError, match="empty"):
                await restore(made.databases, made.keys, main, members, replay=(), say=lambda _line: None)
        assert await house.opened() == set(house.members)


REFUSED: dict[str, Callable[[Made], tuple[Path, Path]]] = {
    "keys and databases in each other's place": lambda made: (made.keys, made.databases),
    "no backup at all": lambda made: (made.databases.parent, made.keys),
    "an altered dump": lambda made: ((made.databases / "main.dump").write_bytes(b"x") and made.databases, made.keys),
}


@pytest.mark.parametrize("spoil", REFUSED.values(), ids=REFUSED)
async def test_a_set_that_is_not_what_it_should_be_is_refused(
    house: House, postgres_server: Server, tmp_path: Path, spoil: Callable[[Made], tuple[Path, Path]]
) -> None:
    databases, keys = spoil(await house.back_up(tmp_path))
    async with fresh_databases(postgres_server, empty=True) as empty:
        with pytest.raises(TodokuError):
            await restore(databases, keys, empty.main_owner, empty.members_owner, replay=(), say=lambda _line: None)
        connection = await asyncpg.connect(empty.main_owner)
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
        await connection.close()


async def test_a_backup_that_fails_leaves_nothing(house: House, tmp_path: Path) -> None:
    blocked = tmp_path / "databases"
    blocked.write_bytes(b"a file where a directory should be")
    with pytest.raises(ConfigurationError):
        await house.back_up(tmp_path)
    assert list((tmp_path / "keys").iterdir()) == []
