from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from core import ids
from core.clock import Clock
from core.errors import Conflict, InvalidInput, NotFound, StaleRevision
from core.ids import IdSource
from members.audience import AudienceSource, Count
from members.errors import Suppressed
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.topics import KIND, TopicStore
from tests.support.audiences import reached
from tests.support.segments import NoMail


@pytest.fixture
def topics(vault: asyncpg.Pool, new_id: IdSource) -> TopicStore:
    return TopicStore(vault, new_id)


@pytest.fixture
def consent(clock: Clock) -> Consent:
    return Consent("form", clock.now() - timedelta(days=1))


async def test_topics_are_named_once_and_changed_by_revision(topics: TopicStore, account: UUID) -> None:
    weekly = await topics.create(account, "weekly", {"ja": "週刊"})
    with pytest.raises(Conflict):
        await topics.create(account, "weekly")
    changed = await topics.change(account, weekly.topic_id, 1, label={"ja": "毎週", "en": "Weekly"})
    assert (changed.name, changed.label) == ("weekly", {"ja": "毎週", "en": "Weekly"})
    with pytest.raises(StaleRevision):
        await topics.change(account, weekly.topic_id, 1, name="daily")
    with pytest.raises(InvalidInput) as caught:
        await topics.create(account, "", {"fr": "Hebdomadaire"})
    assert {fault.pointer for fault in caught.value.faults} == {"/name", "/label"}


async def test_joining_needs_a_consent_and_is_recorded_by_topic(
    members: MemberStore, topics: TopicStore, account: UUID, consent: Consent
) -> None:
    weekly, daily = [(await topics.create(account, name)).topic_id for name in ("weekly", "daily")]
    with pytest.raises(InvalidInput) as caught:
        await members.create(account, "taro@example.jp", topics=[weekly])
    assert caught.value.faults[0].pointer == "/consent"
    made = await members.create(account, "taro@example.jp", topics=[weekly], consent=consent)
    assert made.topics == (weekly,)
    with pytest.raises(InvalidInput):
        await members.change(account, made.member_id, 1, topics=[weekly, daily])
    both = await members.change(account, made.member_id, 1, topics=[weekly, daily], consent=consent)
    assert set(both.topics) == {weekly, daily}
    scopes = [record.scope for record in await members.consents(account, made.member_id)]
    assert sorted(scopes) == sorted(["all", "all", f"topic:{weekly}", f"topic:{daily}"])


async def test_who_leaves_a_topic_is_left_out_of_it_alone_and_comes_back_by_a_newer_consent(
    members: MemberStore, topics: TopicStore, account: UUID, consent: Consent, vault: asyncpg.Pool, rings: KeyRings
) -> None:
    weekly = (await topics.create(account, "weekly")).topic_id

    async def about() -> tuple[Count, list[UUID]]:
        return await reached(vault, rings, account, topic=weekly, everyone=False)

    made = await members.create(account, "taro@example.jp", topics=[weekly], consent=consent)
    await members.create(account, "other@example.jp", consent=consent)
    assert await about() == (Count(1, 1, {}), [made.member_id])
    left = await members.change(account, made.member_id, 1, topics=[])
    assert (left.status, left.topics) == ("active", ())
    assert (await about())[0].matching == 0
    assert (await reached(vault, rings, account))[0].sendable == 2
    assert await vault.fetchval("SELECT scope FROM suppression") == f"topic:{weekly}"
    with pytest.raises(Suppressed):
        await members.change(account, made.member_id, 2, topics=[weekly], consent=consent)
    newer = Consent("form", consent.given_at + timedelta(days=2))
    assert (await members.change(account, made.member_id, 2, topics=[weekly], consent=newer)).topics == (weekly,)
    assert (await about())[0].sendable == 1


async def test_who_is_suppressed_for_a_topic_is_counted_as_left_out_of_it(
    members: MemberStore, topics: TopicStore, account: UUID, consent: Consent, vault: asyncpg.Pool, rings: KeyRings
) -> None:
    weekly = (await topics.create(account, "weekly")).topic_id
    await members.create(account, "taro@example.jp", topics=[weekly], consent=consent)
    await vault.execute(
        "INSERT INTO suppression (account_id, hash, scope, reason, occurred_at)"
        " SELECT account_id, suppression_hash, $1, 'manual', app.now() FROM member",
        f"topic:{weekly}",
    )
    assert (await reached(vault, rings, account, topic=weekly))[0].left_out == {"manual": 1}
    assert (await reached(vault, rings, account))[0].sendable == 1


async def test_an_unknown_topic_is_named_where_it_stands(
    members: MemberStore, account: UUID, consent: Consent, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await members.create(account, "taro@example.jp", topics=[new_id()], consent=consent)
    assert caught.value.faults[0].pointer == "/topics/0"
    for wanted in ({"topic": "top_x"}, {"topic": ids.encode(KIND, new_id())}, {"all": True, "topic": 5}):
        with pytest.raises(InvalidInput) as caught:
            await AudienceSource(vault, rings, NoMail()).resolve(account, wanted)
        assert caught.value.faults[0].pointer == "/topic"


async def test_a_removed_topic_leaves_its_members_and_their_consents(
    members: MemberStore, topics: TopicStore, account: UUID, consent: Consent
) -> None:
    weekly = (await topics.create(account, "weekly")).topic_id
    made = await members.create(account, "taro@example.jp", topics=[weekly], consent=consent)
    await topics.remove(account, weekly)
    assert (await members.get(account, made.member_id)).topics == ()
    assert len(await members.consents(account, made.member_id)) == 2
    with pytest.raises(NotFound):
        await topics.remove(account, weekly)
