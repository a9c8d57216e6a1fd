from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.ids import IdSource
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.suppressions import Stop, SuppressionStore, carry_stops


@pytest.fixture
def members(vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> MemberStore:
    return MemberStore(vault, rings, new_id)


async def test_a_stop_carried_twice_is_noted_once(
    members: MemberStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, stops: asyncpg.Pool, clock: Clock
) -> None:
    given = Consent("form", clock.now() - timedelta(days=1))
    made = await members.create(account, "taro@example.jp", consent=given)
    stop = Stop(account, made.member_id, "complained", clock.now())
    assert [await carry_stops(stops, [stop]) for _ in range(3)] == [1, 0, 0]
    assert (await members.get(account, made.member_id)).status == "unsubscribed"
    ledger = await members.consents(account, made.member_id)
    assert [(record.kind, record.source) for record in ledger] == [("given", "form"), ("withdrawn", "complained")]
    found = await SuppressionStore(vault, rings).find(account, "taro@example.jp")
    assert found is not None
    assert (found.reason, found.occurred_at) == ("complained", stop.occurred_at)


async def test_a_later_consent_outlives_an_earlier_stop_and_a_stop_within_five_seconds_wins(
    members: MemberStore, account: UUID, stops: asyncpg.Pool, clock: Clock
) -> None:
    now = clock.now()
    later = await members.create(account, "later@example.jp", consent=Consent("form", now + timedelta(seconds=6)))
    close = await members.create(account, "close@example.jp", consent=Consent("form", now + timedelta(seconds=4)))
    told = [Stop(account, made.member_id, "unsubscribed", now) for made in (later, close)]
    assert await carry_stops(stops, told) == 1
    assert (await members.get(account, later.member_id)).status == "active"
    assert (await members.get(account, close.member_id)).status == "unsubscribed"


async def test_stops_of_the_gone_and_of_other_accounts_do_nothing(
    members: MemberStore, account: UUID, stops: asyncpg.Pool, clock: Clock, new_id: IdSource
) -> None:
    made = await members.create(account, "taro@example.jp", consent=Consent("form", clock.now()))
    told = [
        Stop(account, new_id(), "erased", clock.now() + timedelta(seconds=9)),
        Stop(new_id(), made.member_id, "unsubscribed", clock.now() + timedelta(seconds=9)),
    ]
    assert await carry_stops(stops, told) == 0
    assert await carry_stops(stops, []) == 0
    assert (await members.get(account, made.member_id)).status == "active"


async def test_the_scheduler_can_read_nothing_of_the_vault(stops: asyncpg.Pool) -> None:
    for table in ("member", "consent", "suppression", "keys.member_key"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await stops.fetch(f"SELECT * FROM {table}")


async def test_suppressions_are_listed_and_removed_by_hash(vault: asyncpg.Pool, rings: KeyRings, account: UUID) -> None:
    store = SuppressionStore(vault, rings)
    for number in range(5):
        await store.add(account, f"m{number}@example.jp")
    assert (await store.add(account, "m0@example.jp", "bounced")).reason == "manual"
    first, cursor = await store.list(account, limit=3)
    rest, end = await store.list(account, limit=3, after=cursor)
    assert (len(first), len(rest), end) == (3, 2, None)
    await store.remove(account, first[0].hash)
    assert len((await store.list(account))[0]) == 4


async def test_a_bounce_suppresses_the_address_and_takes_no_consent_back(
    members: MemberStore, account: UUID, vault: asyncpg.Pool, rings: KeyRings, stops: asyncpg.Pool, clock: Clock
) -> None:
    given = Consent("form", clock.now() - timedelta(days=1))
    made = await members.create(account, "taro@example.jp", consent=given)
    stop = Stop(account, made.member_id, "bounced", clock.now())
    assert [await carry_stops(stops, [stop]) for _ in range(2)] == [1, 0]
    assert (await members.get(account, made.member_id)).status == "bounced"
    assert [record.kind for record in await members.consents(account, made.member_id)] == ["given"]
    found = await SuppressionStore(vault, rings).find(account, "taro@example.jp")
    assert found is not None
    assert found.reason == "bounced"
