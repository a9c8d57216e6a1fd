import asyncio
from uuid import UUID

import asyncpg

from core.ids import IdSource
from members.rules.tree import LastSeen, Mailed
from tests.support.runs import make_run
from tests.support.tracker import tracker
from tracking import engagement
from tracking.engagement import MemberEngagement
from tracking.machines import rules, settlement

LAST = UUID(int=2**128 - 1)


async def told(
    main: asyncpg.Pool, account_id: UUID, asked: Mailed | LastSeen, after: UUID | None = None, upto: UUID = LAST
) -> list[UUID]:
    """The members whom the stream names, with the number that was asked for."""
    stream = bytearray()

    async def sink(block: bytes) -> None:
        stream.extend(block)

    await MemberEngagement(main).copy(account_id, asked, 7, after, upto, sink)
    rows = [bytes(stream[at : at + 28]) for at in range(19, len(stream) - 2, 28)]
    assert all(row[22:] == b"\x00\x00\x00\x02\x00\x07" for row in rows)
    return sorted(UUID(bytes=row[6:22]) for row in rows)


async def test_who_opened_and_clicked_is_told_by_campaign_and_by_time(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    sent = await make_run(main, new_id, recipients=10)
    members, account_id, campaign_id = sent.members, sent.account_id, sent.campaign_id
    async with tracker(main_tracker) as web:
        await asyncio.gather(*(web.get(sent.open_path(seq)) for seq in (1, 2, 2, 3)))
        await web.get(sent.click_path(3, 0))
    assert await told(main, account_id, Mailed("opened", campaign_id)) == []
    await settlement.settle(main, rules.load(), 0.0)
    while await engagement.fold(main, 2):
        pass
    assert await told(main, account_id, Mailed("opened", campaign_id)) == sorted(members[:3])
    assert await told(main, account_id, Mailed("clicked", campaign_id)) == [members[2]]
    assert await told(main, account_id, LastSeen("last_open")) == sorted(members[:3])
    assert await told(main, account_id, LastSeen("last_click")) == [members[2]]
    now = await main.fetchval("SELECT app.now()")
    assert await told(main, account_id, LastSeen("last_open", after=now)) == []
    assert await told(main, account_id, LastSeen("last_open", before=now)) == sorted(members[:3])
    assert await told(main, new_id(), LastSeen("last_open")) == []


async def test_a_range_tells_of_its_own_members_alone(main: asyncpg.Pool, new_id: IdSource) -> None:
    sent = await make_run(main, new_id, recipients=10)
    members = sorted(sent.members)
    await main.execute(
        "INSERT INTO result (run_id, seq, try, outcome, at)"
        " SELECT run_id, seq, 2, CASE WHEN seq = 1 THEN 'failed'::outcome ELSE 'accepted' END, app.now()"
        " FROM recipient WHERE run_id = $1",
        sent.run_id,
    )
    got = await told(main, sent.account_id, Mailed("received", sent.campaign_id), members[1], members[5])
    assert got == [member for member in members[2:6] if member != sent.members[0]]


async def test_a_later_open_is_never_folded_into_an_earlier_one(main: asyncpg.Pool, new_id: IdSource) -> None:
    account_id, member_id = new_id(), new_id()
    for age in (3, 1, 2):
        await main.execute(
            "INSERT INTO engagement_delta (account_id, member_id, kind, at)"
            " VALUES ($1, $2, 'open', '2026-11-10'::timestamptz - make_interval(days => $3))",
            account_id,
            member_id,
            age,
        )
        assert await engagement.fold(main) == 1
    last = await main.fetchval("SELECT last_open_at FROM engagement WHERE member_id = $1", member_id)
    assert last.day == 9
