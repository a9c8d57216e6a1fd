"""The pages' role before the vault: nothing without a proof, one member with it, and nothing lost for the others."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.database import close_pool, open_pool
from core.errors import NotFound
from core.ids import IdSource
from deploy.dsns import Dsns
from members import audience, scan, vault
from members.attributes import AttributeStore
from members.keyring import KeyRings
from members.member import Consent, Member
from members.members import MemberStore
from members.proven import SQL, Proof, ProvenMembers
from members.scopes import topic_scope
from members.suppressions import SuppressionStore
from members.topics import TopicStore

OF_NOBODY = {
    "app.clock_offset", "attribute", "attribute_name", "keys.account", "keys.epoch", "keys.holder", "keys.installation",
    "keys.ring", "topic",
}  # fmt: skip
"""What the role reads without a proof: accounts' names for things, and keys that only the KEK opens."""


@pytest.fixture
async def pages(dsns: Dsns) -> AsyncIterator[asyncpg.Pool]:
    """The member database as the pages' role sees it."""
    pool = await open_pool(dsns.members_pages, name="test", max_size=2)
    yield pool
    await close_pool(pool)


@pytest.fixture
def proven(pages: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> ProvenMembers:
    return ProvenMembers(pages, rings, new_id)


@pytest.fixture
def store(vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> MemberStore:
    return MemberStore(vault, rings, new_id)


@pytest.fixture
async def weekly(vault: asyncpg.Pool, account: UUID, new_id: IdSource) -> UUID:
    return (await TopicStore(vault, new_id).create(account, "weekly")).topic_id


@pytest.fixture
async def people(store: MemberStore, account: UUID, weekly: UUID, clock: Clock) -> list[Member]:
    consent = Consent("form", clock.now() - timedelta(days=1), origin="192.0.2.7")
    return [
        await store.create(account, f"{name}@example.jp", {"name": name}, consent=consent, topics=[weekly])
        for name in ("taro", "hanako")
    ]


async def tables(connection: asyncpg.Connection) -> list[str]:
    """Every table of which the role may read a column."""
    rows = await connection.fetch("""
        SELECT CASE n.nspname WHEN 'public' THEN '' ELSE n.nspname || '.' END || c.relname AS name
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v') AND n.nspname IN ('app', 'keys', 'public')
          AND has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT')
    """)
    return sorted(row["name"] for row in rows)


async def ids_in(connection: asyncpg.Connection, table: str) -> set[UUID]:
    has_member = "SELECT count(*) FROM pg_attribute WHERE attrelid = $1::regclass AND attname = 'member_id'"
    if not await connection.fetchval(has_member.replace("$1::regclass", f"'{table}'::regclass")):
        return set()
    return {row["member_id"] for row in await connection.fetch(f"SELECT member_id FROM {table}")}


async def test_without_a_proof_no_row_about_anybody_is_seen(pages: asyncpg.Pool, people: list[Member]) -> None:
    async with pages.acquire() as connection:
        for table in set(await tables(connection)) - OF_NOBODY:
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table


async def test_with_a_proof_every_table_shows_that_member_and_no_other(
    pages: asyncpg.Pool, vault: asyncpg.Pool, account: UUID, people: list[Member], rings: KeyRings
) -> None:
    taro, hanako = people
    suppressions = SuppressionStore(vault, rings)
    for member in people:
        await suppressions.add(account, member.address)
    async with pages.acquire() as connection:
        async with connection.transaction():
            await connection.execute(SQL["prove"], account, taro.member_id)
            await connection.execute(SQL["note_hashes"], account, taro.member_id)
            seen = {table: await ids_in(connection, table) for table in await tables(connection)}
            assert hanako.member_id not in set().union(*seen.values())
            for table in ("member", "keys.member_key", "address_index", "consent", "consent_evidence"):
                assert seen[table] == {taro.member_id}, table
            assert await connection.fetchval("SELECT count(*) FROM suppression") == 1
            # Naming her in a statement is no proof.
            assert await connection.execute(
                "UPDATE member SET revision = 9 WHERE member_id = $1", hanako.member_id
            ) == ("UPDATE 0")
            assert await connection.execute("DELETE FROM member WHERE member_id = $1", hanako.member_id) == "DELETE 0"
        # A proof ends with its transaction.
        assert await connection.fetchval("SELECT count(*) FROM member") == 0


@pytest.mark.parametrize("table", ["keys.account SET generation = generation", "topic SET revision = revision"])
async def test_what_is_there_to_be_locked_is_never_changed(
    pages: asyncpg.Pool, account: UUID, people: list[Member], table: str
) -> None:
    async with pages.acquire() as connection, connection.transaction():
        await connection.execute(SQL["prove"], account, people[0].member_id)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(f"UPDATE {table}")


async def test_a_consent_is_recorded_for_the_proven_member_alone(
    pages: asyncpg.Pool, account: UUID, people: list[Member]
) -> None:
    taro, hanako = people
    async with pages.acquire() as connection, connection.transaction():
        await connection.execute(SQL["prove"], account, taro.member_id)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(
                "INSERT INTO consent (account_id, member_id, kind, scope, source, occurred_at) "
                "VALUES ($1, $2, 'given', 'all', 'forged', now())",
                account,
                hanako.member_id,
            )


async def test_the_stores_work_within_a_proof_as_they_do_elsewhere(
    proven: ProvenMembers, store: MemberStore, account: UUID, people: list[Member], weekly: UUID, clock: Clock
) -> None:
    taro, hanako = people
    async with proven.opened(Proof(account, taro.member_id)) as mine:
        with pytest.raises(NotFound):
            await mine.members.get(account, hanako.member_id)
        own = await mine.members.get(account, taro.member_id)
        left = await mine.members.change(account, taro.member_id, own.revision, topics=[])
        assert left.topics == ()
        paused = await mine.members.change(
            account, taro.member_id, left.revision, pause_until=clock.now() + timedelta(days=9), values={"name": "太郎"}
        )
        consent = Consent("preferences", clock.now() + timedelta(seconds=6), "2026-11")
        await mine.members.change(account, taro.member_id, paused.revision, topics=[weekly], consent=consent)
        said = [(one.kind, one.scope) for one in await mine.members.consents(account, taro.member_id)]
        assert said[-3:] == [("withdrawn", topic_scope(weekly)), ("given", "all"), ("given", topic_scope(weekly))]
    now = await store.get(account, taro.member_id)
    assert (now.status, now.topics, now.values) == ("active", (weekly,), {"name": "太郎"})
    assert await store.get(account, hanako.member_id) == hanako


async def test_who_erases_oneself_is_gone_and_stays_suppressed(
    proven: ProvenMembers, store: MemberStore, vault: asyncpg.Pool, account: UUID, people: list[Member], rings: KeyRings
) -> None:
    taro, hanako = people
    async with proven.opened(Proof(account, taro.member_id)) as mine:
        await mine.members.erase(account, taro.member_id)
    with pytest.raises(NotFound):
        await store.get(account, taro.member_id)
    found = await SuppressionStore(vault, rings).find(account, taro.address)
    assert found is not None
    assert found.reason == "erased"
    assert await store.get(account, hanako.member_id) == hanako
    with pytest.raises(NotFound):
        async with proven.opened(Proof(account, taro.member_id)):
            pass


async def test_what_fails_within_a_proof_leaves_no_trace(
    proven: ProvenMembers, store: MemberStore, account: UUID, people: list[Member]
) -> None:
    taro = people[0]

    async def leave_half_way() -> None:
        async with proven.opened(Proof(account, taro.member_id)) as mine:
            await mine.members.change(account, taro.member_id, taro.revision, topics=[])
            raise NotFound

    with pytest.raises(NotFound):
        await leave_half_way()
    assert await store.get(account, taro.member_id) == taro


async def test_row_security_changes_no_plan_of_the_vaults_role(
    vault: asyncpg.Pool, vault_owner: asyncpg.Pool, account: UUID, people: list[Member], new_id: IdSource
) -> None:
    # The owner passes row security by: its plans are those that there would be without it.
    await AttributeStore(vault, new_id).define(account, "city", "text", protection="open")
    rule, last, member = '$.open.city == "tokyo"', people[1].member_id, [people[0].member_id]
    asked: dict[str, tuple[object, ...]] = {
        "open_members": (account, member),
        "find": (account, [1], [b"x"]),
        "slice_end": (account, rule, None, last, 10, None),
        "slice": (account, rule, None, last, None, None, [], []),
        "count": (account, rule, None, False, False, False, False),
        "members": (account, None, last, rule),
    }
    statements = vault_statements()
    for name, arguments in asked.items():
        plans = [
            [row[0] for row in await pool.fetch(f"EXPLAIN (COSTS OFF) {statements[name]}", *arguments)]
            for pool in (vault, vault_owner)
        ]
        assert plans[0] == plans[1], name


def vault_statements() -> dict[str, str]:
    return {**audience.SQL, **scan.SQL, **vault.SQL}
