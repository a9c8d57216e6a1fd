"""Who joins topics by a file, by its consent, and who does not: whoever left."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from core import ids
from core.clock import Clock
from core.errors import InvalidInput
from members.bulk import BulkStore, Item
from members.member import Consent
from members.scopes import topic_scope
from members.suppressions import Stop, SuppressionStore, carry_stops
from members.topics import KIND, TopicStore
from tests.support.imports import Imports, counters

GIVEN = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture
async def weekly(imports: Imports) -> UUID:
    return (await TopicStore(imports.pool, imports.new_id).create(imports.account, "weekly")).topic_id


@pytest.fixture
async def daily(imports: Imports) -> UUID:
    return (await TopicStore(imports.pool, imports.new_id).create(imports.account, "daily")).topic_id


def shown(topic: UUID) -> str:
    return ids.encode(KIND, topic)


async def topics_of(imports: Imports, address: str) -> tuple[UUID, ...]:
    return (await imports.members.by_address(imports.account, address)).topics


async def scopes_of(imports: Imports, address: str) -> list[str]:
    member = await imports.members.by_address(imports.account, address)
    return sorted(record.scope for record in await imports.members.consents(imports.account, member.member_id))


async def test_new_and_known_members_join_by_the_file_s_consent(imports: Imports, weekly: UUID, daily: UUID) -> None:
    given = Consent("form", GIVEN)
    known = await imports.members.create(imports.account, "known@example.jp", consent=given, topics=[daily])
    file = b"email\nknown@example.jp\nnew@example.jp\n"
    options = {"topics": [shown(weekly)], "consent_at": GIVEN.isoformat()}
    assert counters(await imports.through(file, **options)) == (1, 1, 0, 0)
    assert await topics_of(imports, "known@example.jp") == tuple(sorted([weekly, daily]))
    assert await topics_of(imports, "new@example.jp") == (weekly,)
    assert await scopes_of(imports, "new@example.jp") == ["all", topic_scope(weekly)]
    record = (await imports.members.consents(imports.account, known.member_id))[-1]
    assert (record.scope, record.source, record.occurred_at) == (topic_scope(weekly), "2026-form", GIVEN)
    # Once more changes nothing, and what a file does not name stays as it is.
    assert counters(await imports.through(file, **options)) == (0, 0, 2, 0)
    assert counters(await imports.through("email,name\nknown@example.jp,太郎\n".encode())) == (0, 1, 0, 0)
    assert await topics_of(imports, "known@example.jp") == tuple(sorted([weekly, daily]))
    with pytest.raises(InvalidInput) as caught:
        await imports.upload(file, topics=[shown(imports.new_id())])
    assert caught.value.faults[0].pointer == "/topics/0"


async def test_a_file_brings_nobody_back_who_left_or_is_suppressed(
    imports: Imports, weekly: UUID, stops: asyncpg.Pool, clock: Clock
) -> None:
    given = Consent("form", GIVEN)
    made = {
        name: await imports.members.create(imports.account, f"{name}@example.jp", consent=given, topics=[weekly])
        for name in ("left", "late", "gone")
    }
    await imports.members.create(imports.account, "kept@example.jp", consent=given)
    await SuppressionStore(imports.pool, imports.rings).add(
        imports.account, "kept@example.jp", scope=topic_scope(weekly)
    )
    await imports.members.change(imports.account, made["left"].member_id, 1, topics=[])
    # Carried in late, the withdrawal is older than much else in the ledger, and still the last word on the topic.
    earlier = clock.now() - timedelta(days=1)
    late = Stop(imports.account, made["late"].member_id, "unsubscribed", earlier, topic_scope(weekly))
    await carry_stops(stops, [late])
    await imports.pool.execute("DELETE FROM suppression WHERE scope = $1 AND reason = 'unsubscribed'", late.scope)
    await imports.members.change(imports.account, made["gone"].member_id, 1, topics=[], withdrawn_by="phone")
    await imports.pool.execute("DELETE FROM suppression WHERE scope = 'all'")
    file = b"email\n" + b"".join(b"%s@example.jp\n" % name.encode() for name in (*made, "kept"))
    done = await imports.through(file, topics=[shown(weekly)])
    assert counters(done) == (0, 0, 4, 0)
    for name in (*made, "kept"):
        assert await topics_of(imports, f"{name}@example.jp") == ()


async def test_each_row_may_name_its_own_topics(imports: Imports, weekly: UUID, daily: UUID) -> None:
    await imports.members.create(imports.account, "known@example.jp", consent=Consent("form", GIVEN), topics=[daily])
    file = (
        f"email,topics\nboth@example.jp,{shown(weekly)}; {shown(daily)}\nnone@example.jp,\n"
        f"known@example.jp,{shown(weekly)}\nbad@example.jp,top_x\n"
    )
    done = await imports.through(file.encode())
    assert counters(done) == (2, 1, 0, 1)
    assert (await imports.rejects(done))[0]["reason"].startswith("topics: ")
    assert await topics_of(imports, "both@example.jp") == tuple(sorted([weekly, daily]))
    assert await scopes_of(imports, "both@example.jp") == sorted(["all", topic_scope(weekly), topic_scope(daily)])
    assert await topics_of(imports, "none@example.jp") == ()
    assert await topics_of(imports, "known@example.jp") == tuple(sorted([weekly, daily]))
    lines = f'{{"email": "line@example.jp", "topics": ["{shown(daily)}"]}}\n'
    lines += '{"email": "none@example.jp", "topics": null}\n'
    assert counters(await imports.through(lines.encode())) == (1, 0, 1, 0)
    assert await topics_of(imports, "line@example.jp") == (daily,)


async def test_who_joins_by_a_file_consents(imports: Imports, weekly: UUID) -> None:
    for mapping, options in (({}, {"topics": [shown(weekly)]}), ({"a": "email", "b": "topics"}, {})):
        import_id = await imports.store.begin(imports.account)
        await imports.store.add_block(imports.account, import_id, 0, b"a,b\n")
        with pytest.raises(InvalidInput) as caught:
            await imports.store.submit(imports.account, import_id, mapping, "", {"mode": "update", **options})
        assert [fault.pointer for fault in caught.value.faults] == ["/consent_source"]
    import_id = await imports.store.begin(imports.account)
    await imports.store.add_block(imports.account, import_id, 0, b"email,topics\na@example.jp,\n")
    await imports.store.submit(imports.account, import_id, {}, "", {"mode": "update"})
    failed = await imports.work(import_id)
    assert failed.state == "failed"
    assert "topics" in (failed.error or "")


async def test_a_bulk_call_joins_topics_too(imports: Imports, weekly: UUID) -> None:
    given = Consent("form", GIVEN)
    await imports.members.create(imports.account, "known@example.jp", consent=given)
    bulk = BulkStore(imports.pool, imports.rings, imports.new_id)
    items = [Item("known@example.jp", {}), Item("new@example.jp", {})]
    made = await bulk.merge(imports.account, items, consent=given, topics=[weekly])
    assert [outcome.state for outcome in made] == ["updated", "created"]
    for item in items:
        assert await topics_of(imports, item.address) == (weekly,)
    with pytest.raises(InvalidInput) as caught:
        await bulk.merge(imports.account, items, mode="update", topics=[weekly])
    assert [fault.pointer for fault in caught.value.faults] == ["/consent"]
