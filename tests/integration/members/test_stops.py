from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.ids import IdSource
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.scopes import topic_scope
from members.suppressions import Stop, SuppressionStore, carry_stops
from members.topics import TopicStore


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


async def test_a_topic_s_stop_takes_the_member_out_of_it_and_leaves_the_rest(
    members: MemberStore, account: UUID, vault: asyncpg.Pool, stops: asyncpg.Pool, clock: Clock, new_id: IdSource
) -> None:
    topics = TopicStore(vault, new_id)
    weekly, daily = [(await topics.create(account, name)).topic_id for name in ("weekly", "daily")]
    given = Consent("form", clock.now() - timedelta(days=1))
    both = await members.create(account, "both@example.jp", consent=given, topics=[weekly, daily])
    one = await members.create(account, "one@example.jp", consent=given, topics=[weekly])
    out = await members.create(account, "out@example.jp", consent=given, topics=[weekly, daily])
    kept = await members.create(account, "kept@example.jp", consent=given, topics=[weekly])
    scope = topic_scope(weekly)
    told = [
        *(Stop(account, left.member_id, "unsubscribed", clock.now(), scope) for left in (both, one, out)),
        # Who leaves all mail as well, and whom only the list's keeper stops: that says nothing of what was chosen.
        Stop(account, out.member_id, "unsubscribed", clock.now()),
        Stop(account, kept.member_id, "manual", clock.now(), scope),
    ]
    assert [await carry_stops(stops, told) for _ in range(2)] == [5, 0]
    found = [await members.get(account, made.member_id) for made in (both, one, out, kept)]
    assert [member.topics for member in found] == [(daily,), (), (daily,), (weekly,)]
    assert [member.status for member in found] == ["active", "active", "unsubscribed", "active"]
    assert await vault.fetchval("SELECT count(*) FROM member WHERE facets ? 'topics'") == 3
    scopes = await vault.fetch("SELECT scope, count(*) FROM suppression GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in scopes] == [("all", 1), (scope, 4)]
    withdrawn = [record for record in await members.consents(account, one.member_id) if record.kind == "withdrawn"]
    assert [(record.scope, record.source) for record in withdrawn] == [(scope, "unsubscribed")]


async def test_a_later_consent_to_the_topic_outlives_its_stop_and_one_to_all_mail_does_not(
    members: MemberStore, account: UUID, vault: asyncpg.Pool, stops: asyncpg.Pool, clock: Clock, new_id: IdSource
) -> None:
    topic = (await TopicStore(vault, new_id).create(account, "weekly")).topic_id
    now = clock.now()
    earlier, later = Consent("form", now - timedelta(days=1)), Consent("form", now + timedelta(seconds=6))
    back = await members.create(account, "back@example.jp", consent=later, topics=[topic])
    left = await members.create(account, "left@example.jp", consent=earlier, topics=[topic])
    await members.change(account, left.member_id, 1, consent=later)
    told = [Stop(account, made.member_id, "unsubscribed", now, topic_scope(topic)) for made in (back, left)]
    assert await carry_stops(stops, told) == 1
    assert (await members.get(account, back.member_id)).topics == (topic,)
    assert (await members.get(account, left.member_id)).topics == ()
