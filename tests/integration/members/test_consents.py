from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from members.consents import evidence
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.vault import open_key
from tests.support.postgres import shift_clock

ORIGIN = "2001:DB8::0:7"
DAYS = 86_400.0


@pytest.fixture
def consent(clock: Clock) -> Consent:
    given_at = clock.now() - timedelta(days=1)
    return Consent("form", given_at, "2026-10", given_at + timedelta(minutes=2), ORIGIN)


async def test_a_consent_is_read_back_with_all_that_proves_it(
    members: MemberStore, account: UUID, consent: Consent
) -> None:
    made = await members.create(account, "taro@example.jp", consent=consent)
    (record,) = await members.consents(account, made.member_id)
    assert (record.kind, record.scope, record.source, record.form_version) == ("given", "all", "form", "2026-10")
    assert (record.occurred_at, record.confirmed_at) == (consent.given_at, consent.confirmed_at)
    assert (record.origin, record.link) == ("2001:db8::7", 1)


async def test_where_a_consent_came_from_stands_nowhere_in_plain(
    members: MemberStore, account: UUID, consent: Consent, vault: asyncpg.Pool
) -> None:
    await members.create(account, "taro@example.jp", consent=consent)
    for table in ("consent", "consent_evidence"):
        dump = str(await vault.fetch(f"SELECT t::text FROM {table} AS t"))
        assert "2001:db8" not in dump
        assert b"2001:db8".hex() not in dump


async def test_after_an_erasure_the_record_stays_and_its_origin_is_gone(
    members: MemberStore, account: UUID, consent: Consent, vault: asyncpg.Pool
) -> None:
    made = await members.create(account, "taro@example.jp", consent=consent)
    await members.erase(account, made.member_id)
    (record,) = await members.consents(account, made.member_id)
    assert (record.source, record.origin) == ("form", None)
    assert await vault.fetchval("SELECT count(*) FROM consent_evidence") == 0


async def test_an_origin_moves_on_to_a_members_new_key(
    members: MemberStore, account: UUID, consent: Consent, vault: asyncpg.Pool, rings: KeyRings
) -> None:
    made = await members.create(account, "taro@example.jp", consent=consent)
    row = await vault.fetchrow("SELECT member_id, ring_version, wrapped FROM keys.member_key")
    assert row is not None
    old, new = open_key(await rings.ring(account), row), bytes(32)
    async with vault.acquire() as connection, connection.transaction():
        assert await evidence.reseal(connection, account, {made.member_id: (old, new)}, rings.random) == 1
        assert await evidence.reseal(connection, account, {account: (old, new)}, rings.random) == 0
    sealed = evidence.Evidence(*await vault.fetchrow("SELECT commitment, sealed FROM consent_evidence"))
    assert evidence.unseal(sealed, key=new, account_id=account, member_id=made.member_id) == "2001:db8::7"
    (record,) = await members.consents(account, made.member_id)
    assert record.origin is None


async def test_the_ledger_is_only_added_to_and_its_chain_is_the_databases_own(
    members: MemberStore, account: UUID, consent: Consent, vault: asyncpg.Pool
) -> None:
    await members.create(account, "taro@example.jp", consent=consent)
    for statement in (
        "UPDATE consent SET source = 'x'",
        "DELETE FROM consent",
        "UPDATE consent_link SET no = 2",
        "DELETE FROM consent_link",
        "UPDATE consent_head SET no = 2",
        (
            "INSERT INTO consent (account_id, member_id, kind, source, occurred_at, batch)"
            " SELECT account_id, member_id, kind, source, occurred_at, batch FROM consent"
        ),
        "SELECT app.expire_consents(0, account_id, member_id, 1) FROM consent",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await vault.execute(statement)


async def expire(stops: asyncpg.Pool, days: int) -> int:
    zero = UUID(int=0)
    expired: int = await stops.fetchval("SELECT expired FROM app.expire_consents($1, $2, $2, 100)", days, zero)
    return expired


async def test_what_is_kept_long_enough_of_who_left_expires_and_who_is_mailed_keeps_it(
    members: MemberStore,
    account: UUID,
    consent: Consent,
    vault: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
    stops: asyncpg.Pool,
) -> None:
    stays = await members.create(account, "stays@example.jp", consent=consent)
    leaves = await members.create(account, "leaves@example.jp", consent=consent)
    erased = await members.create(account, "erased@example.jp", consent=consent)
    await members.change(account, leaves.member_id, 1, withdrawn_by="phone")
    await members.erase(account, erased.member_id)
    await shift_clock(vault_owner, 99 * DAYS)
    assert await expire(stops, 100) == 0
    await shift_clock(vault_owner, 2 * DAYS)
    assert await expire(stops, 100) == 3
    assert await expire(stops, 100) == 0
    assert len(await members.consents(account, stays.member_id)) == 1
    assert await members.consents(account, leaves.member_id) == []
    assert await vault.fetchval("SELECT count(*) FROM consent WHERE length(kept) = 32 AND source IS NULL") == 3
    assert await vault.fetchval("SELECT count(*) FROM consent_evidence") == 1


async def test_nothing_expires_within_a_month_whoever_asks(
    members: MemberStore, account: UUID, consent: Consent, vault_owner: asyncpg.Pool, stops: asyncpg.Pool
) -> None:
    made = await members.create(account, "taro@example.jp", consent=consent)
    await members.erase(account, made.member_id)
    await shift_clock(vault_owner, 30 * DAYS)
    assert await expire(stops, 0) == 0
    await shift_clock(vault_owner, 2 * DAYS)
    assert await expire(stops, 0) == 1
