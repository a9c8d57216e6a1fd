"""Whatever is altered in the ledger's tables is found, and named by account and link."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Self
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.clock import Clock
from core.ids import IdSource
from members.consents import verify as verification
from members.consents.verify import Checked, Head, verify
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.suppressions import Stop, carry_stops

PEOPLE = 3


@pytest.fixture
async def chain(
    vault: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock, stops: asyncpg.Pool
) -> Checked:
    """A ledger with records of every shape: with and without form, confirmation and origin, two in one link."""
    members = MemberStore(vault, rings, new_id)
    now = clock.now()
    whole = Consent("form\\", now - timedelta(days=2), "2026-10", now - timedelta(days=1), "192.0.2.7")
    made = [
        await members.create(account, f"m{number}@example.jp", consent=replace(whole, source=f"form {number}"))
        for number in range(PEOPLE)
    ]
    await members.change(account, made[0].member_id, 1, consent=Consent("ゃ", now))
    told = [Stop(account, one.member_id, "unsubscribed", now + timedelta(seconds=9)) for one in made[:2]]
    assert await carry_stops(stops, told) == 2
    (checked,) = await found(vault)
    return checked


async def found(pool: asyncpg.Pool, expected: dict[UUID, Head] | None = None) -> list[Checked]:
    return [checked async for checked in verify(pool, expected)]


@pytest.fixture
async def free(vault_owner: asyncpg.Pool) -> AsyncIterator[asyncpg.Pool]:
    """The owner, whom no constraint and no trigger of the ledger holds."""
    await vault_owner.execute(
        "ALTER TABLE consent DROP CONSTRAINT consent_is_whole_or_expired, DROP CONSTRAINT consent_scope,"
        " DROP CONSTRAINT consent_kind_check, DISABLE TRIGGER USER;"
        "ALTER TABLE consent_link DROP CONSTRAINT consent_link_pkey, DROP CONSTRAINT consent_link_account_id_batch_key"
    )
    return vault_owner


async def test_a_ledger_that_was_only_written_to_holds(chain: Checked, account: UUID) -> None:
    assert (chain.account_id, chain.records, chain.head.no, chain.broken) == (account, 6, 5, 0)


COLUMNS = {
    "consent": {
        "account_id": "uuid",
        "member_id": "uuid",
        "kind": "text",
        "scope": "text",
        "source": "text",
        "form_version": "text",
        "occurred_at": "time",
        "recorded_at": "time",
        "confirmed_at": "time",
        "commitment": "bytea",
        "batch": "number",
    },
    "consent_link": {
        "account_id": "uuid",
        "no": "number",
        "batch": "number",
        "records": "number",
        "digest": "bytea",
        "previous": "bytea",
        "at": "time",
        "hash": "bytea",
    },
    "consent_head": {"account_id": "uuid", "no": "number", "hash": "bytea"},
}
PLACES = [(table, column) for table, columns in COLUMNS.items() for column in columns]
NEXT = {
    "uuid": "overlay({0}::text PLACING CASE substr({0}::text, {1} % 8 + 1, 1) WHEN 'a' THEN 'b' ELSE 'a' END"
    " FROM {1} % 8 + 1)::uuid",
    "text": "overlay({0} PLACING chr(ascii(substr({0} || '~', {1} % (length({0}) + 1) + 1, 1)) + 1)"
    " FROM {1} % (length({0}) + 1) + 1)",
    "time": "coalesce({0}, 'epoch') + make_interval(secs => (1 + {1}) * 0.000001)",
    "number": "{0} + 1 + {1}",
    "bytea": "CASE WHEN {0} IS NULL THEN '\\x00' ELSE set_byte({0}, {1} % length({0}),"
    " get_byte({0}, {1} % length({0})) # (1 << {1} % 8)) END",
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(st.sampled_from(PLACES), st.integers(min_value=0, max_value=255), st.integers(min_value=0, max_value=5))
async def test_an_altered_byte_of_any_column_is_found(
    chain: Checked, free: asyncpg.Pool, account: UUID, place: tuple[str, str], byte: int, row: int
) -> None:
    table, column = place
    async with free.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            before = f"coalesce({column}, '')" if COLUMNS[table][column] == "text" else column
            changed = NEXT[COLUMNS[table][column]].format(before, byte)
            altered = await connection.execute(
                f"UPDATE {table} SET {column} = {changed}"
                f" WHERE ctid = (SELECT ctid FROM {table} ORDER BY ctid OFFSET {row} LIMIT 1)"
            )
            checked = [one async for one in verification.verify(_Lender(connection))]  # type: ignore[arg-type]
        finally:
            await transaction.rollback()
    broken = sum(one.broken for one in checked)
    assert (broken > 0) == (altered == "UPDATE 1"), (place, byte, row)


class _Lender:
    """A pool of one connection in whose transaction the check shall look."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    def acquire(self) -> "_Lender":
        return self

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def transaction(self, **_: object) -> object:
        return self._connection.transaction()

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)


HASH = (
    "app.consent_hash(account_id, member_id, kind, scope, source, form_version, occurred_at, recorded_at, confirmed_at,"
    " commitment)"
)
ALTERATIONS = {
    "a record removed": ("DELETE FROM consent WHERE source = 'form 1'", 2),
    "a record added": (
        (
            "INSERT INTO consent (account_id, member_id, kind, scope, source, occurred_at, recorded_at, batch)"
            " SELECT account_id, member_id, kind, scope, 'forged', occurred_at, recorded_at, batch"
            " FROM consent WHERE source = 'form 2'"
        ),
        3,
    ),
    "a record that no link knows": (
        (
            "INSERT INTO consent (account_id, member_id, kind, scope, source, occurred_at, recorded_at, batch)"
            " SELECT account_id, member_id, kind, scope, source, occurred_at, recorded_at, -1"
            " FROM consent WHERE source = 'form 2'"
        ),
        None,
    ),
    "two records of two links that changed places": (
        (
            "UPDATE consent c SET batch = o.batch FROM consent o"
            " WHERE (c.source, o.source) IN (('form 0', 'form 1'), ('form 1', 'form 0'))"
        ),
        1,
    ),
    "a link in the midst removed": ("DELETE FROM consent_link WHERE no = 2", 2),
    "two links that changed places": (
        (
            "UPDATE consent_link SET no = 7 WHERE no = 2; UPDATE consent_link SET no = 2 WHERE no = 3;"
            " UPDATE consent_link SET no = 3 WHERE no = 7"
        ),
        2,
    ),
    "the last link removed": ("DELETE FROM consent_link WHERE no = 5", None),
    "a head removed": ("DELETE FROM consent_head", 5),
    "content removed before its time": (
        (
            f"UPDATE consent SET kept = {HASH}, member_id = NULL, kind = NULL, scope = NULL, source = NULL,"
            " form_version = NULL, occurred_at = NULL, recorded_at = NULL, confirmed_at = NULL, commitment = NULL"
            " WHERE source = 'form 1'"
        ),
        2,
    ),
    "content replaced under the old hash": (
        f"UPDATE consent SET kept = {HASH}, source = 'x' WHERE source = 'form 1'",
        2,
    ),
    "content removed under another hash": (
        (
            "UPDATE consent SET kept = sha256(''), member_id = NULL, kind = NULL, scope = NULL, source = NULL,"
            " form_version = NULL, occurred_at = NULL, recorded_at = NULL, confirmed_at = NULL, commitment = NULL"
            " WHERE source = 'form 1'"
        ),
        2,
    ),
    "content removed and no hash kept": ("UPDATE consent SET member_id = NULL WHERE source = 'form 1'", 2),
}


@pytest.mark.parametrize("alteration", ALTERATIONS)
async def test_what_was_done_to_it_is_named_by_account_and_link(
    chain: Checked, free: asyncpg.Pool, account: UUID, alteration: str
) -> None:
    statement, link = ALTERATIONS[alteration]
    await free.execute(statement)
    (checked,) = await found(free)
    assert checked.account_id == account
    assert checked.breaches[0].no == link, checked.breaches


async def test_a_chain_that_was_cut_or_written_anew_is_found_by_a_head_that_was_noted(
    chain: Checked, free: asyncpg.Pool, account: UUID, new_id: IdSource
) -> None:
    noted = {account: chain.head}
    assert [checked.broken for checked in await found(free, noted)] == [0]
    await free.execute(
        "DELETE FROM consent WHERE batch = (SELECT batch FROM consent_link WHERE no = 5);"
        " DELETE FROM consent_link WHERE no = 5;"
        " UPDATE consent_head h SET no = 4, hash = l.hash FROM consent_link l WHERE l.no = 4"
    )
    assert [checked.broken for checked in await found(free)] == [0]
    (checked,) = await found(free, noted)
    assert checked.breaches[0].no == 5
    other = Head(4, bytes(32))
    assert [checked.broken for checked in await found(free, {account: other})] == [1]
    stranger = new_id()
    assert [(one.account_id, one.broken) for one in await found(free, {stranger: other})][-1] == (stranger, 1)


async def test_an_expired_record_still_verifies(
    chain: Checked, vault: asyncpg.Pool, vault_owner: asyncpg.Pool, stops: asyncpg.Pool
) -> None:
    await vault_owner.execute("UPDATE app.clock_offset SET shift = '2000 days'")
    await stops.execute("SELECT app.expire_consents(1096, $1, $1, 100)", UUID(int=0))
    (checked,) = await found(vault)
    assert (checked.records, checked.expired, checked.broken, checked.head) == (6, 5, 0, chain.head)


async def test_two_writers_of_one_account_never_fork_its_chain(
    vault: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock
) -> None:
    members = MemberStore(vault, rings, new_id)
    consent = Consent("form", clock.now())
    await asyncio.gather(*(members.create(account, f"m{n}@example.jp", consent=consent) for n in range(40)))
    (checked,) = await found(vault)
    assert (checked.records, checked.head.no, checked.broken) == (40, 40, 0)


async def test_statements_of_one_transaction_make_links_of_their_own_and_none_if_it_fails(
    vault: asyncpg.Pool, account: UUID, new_id: IdSource
) -> None:
    insert = (
        "INSERT INTO consent (account_id, member_id, kind, source, occurred_at)"
        " SELECT $1, m, 'given', 'form', app.now() FROM unnest($2::uuid[]) AS m"
    )
    async with vault.acquire() as connection:
        async with connection.transaction():
            await connection.execute(insert, account, [new_id(), new_id()])
            await connection.execute(insert, account, [new_id()])
            await connection.execute(insert, account, [])
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(insert, account, [new_id()])
        await transaction.rollback()
    (checked,) = await found(vault)
    assert (checked.records, checked.head.no, checked.broken) == (3, 2, 0)
