from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from core.errors import Conflict, InvalidInput, NotFound, StaleRevision
from core.ids import IdSource, encode
from scheduler.campaigns.states import State
from scheduler.campaigns.times import UnusableTime
from tests.support.campaigns import Stage, set_up, write_template


async def test_a_draft_is_made_changed_listed_and_removed(stage: Stage) -> None:
    store, account = stage.campaigns, stage.account_id
    first = await store.create(account, stage.fields(weight=7, rate_per_hour=3_600))
    assert (first.state, first.revision, first.run_id) == (State.DRAFT, 1, None)
    assert first.fields == stage.fields(weight=7, rate_per_hour=3_600)
    second = await store.create(account, stage.fields(name="January"))
    changed = await store.change(account, first.campaign_id, stage.fields(name="Changed"), revision=1)
    assert (changed.fields.name, changed.revision) == ("Changed", 2)
    assert [one.fields.name for one in await store.list(account)] == ["Changed", "January"]
    assert [one.fields.name for one in await store.list(account, after=first.campaign_id)] == ["January"]
    assert len(await store.list(account, limit=1)) == 1
    await store.remove(account, second.campaign_id)
    assert await store.count(account) == 1
    with pytest.raises(NotFound):
        await store.get(account, second.campaign_id)


async def test_a_change_to_what_was_changed_meanwhile_is_refused(stage: Stage) -> None:
    campaign = await stage.campaigns.create(stage.account_id, stage.fields())
    await stage.campaigns.change(stage.account_id, campaign.campaign_id, stage.fields(name="One"), revision=1)
    with pytest.raises(StaleRevision):
        await stage.campaigns.change(stage.account_id, campaign.campaign_id, stage.fields(name="Two"), revision=1)
    assert (await stage.campaigns.get(stage.account_id, campaign.campaign_id)).fields.name == "One"


async def test_what_is_scheduled_is_no_draft_any_more(stage: Stage) -> None:
    campaign = await stage.scheduled(seconds=60)
    store, account, campaign_id = stage.campaigns, stage.account_id, campaign.campaign_id
    assert campaign.state is State.SCHEDULED
    with pytest.raises(Conflict):
        await store.change(account, campaign_id, stage.fields(), revision=1)
    with pytest.raises(Conflict):
        await store.remove(account, campaign_id)
    with pytest.raises(Conflict):
        await store.schedule(account, campaign_id, await stage.now() + timedelta(hours=1))
    copy = await store.clone(account, campaign_id)
    assert (copy.state, copy.fields.name) == (State.DRAFT, "December (copy)")


async def test_another_account_s_campaign_is_not_there(
    stage: Stage, main: asyncpg.Pool, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    other = await set_up(main, vault, new_id)
    campaign = await stage.scheduled(seconds=60)
    store, campaign_id = stage.campaigns, campaign.campaign_id
    for call in (store.get, store.remove, store.clone, store.check, store.pause, store.resume, store.cancel):
        with pytest.raises(NotFound):
            await call(other.account_id, campaign_id)
    with pytest.raises(NotFound):
        await stage.runs.get(other.account_id, campaign.run_id or UUID(int=0))
    with pytest.raises(InvalidInput) as caught:
        await other.campaigns.create(other.account_id, stage.fields())
    assert [fault.pointer for fault in caught.value.faults] == ["/sender_id", "/template_id"]


async def test_every_fault_of_a_campaign_is_found_at_once(stage: Stage, main: asyncpg.Pool) -> None:
    await main.execute("UPDATE sender SET postal_address = ''")
    await write_template(main, stage.template_id, 2, subject="{{ nickname }}", html="{% if name %}")
    gone = encode("grp", stage.new_id())
    campaign = await stage.campaigns.create(stage.account_id, stage.fields(audience={"groups": [gone]}))
    found = await stage.campaigns.check(stage.account_id, campaign.campaign_id)
    pointers = {fault.pointer for fault in found.faults}
    assert {"/sender/postal_address", "/subject", "/html", "/audience/groups/0"} <= pointers
    with pytest.raises(InvalidInput) as caught:
        await stage.campaigns.schedule(stage.account_id, campaign.campaign_id, datetime(2020, 1, 1, tzinfo=UTC))
    assert {fault.pointer for fault in caught.value.faults} == pointers | {"/at"}
    assert await main.fetchval("SELECT count(*) FROM run") == 0
    assert await main.fetchval("SELECT count(*) FROM content") == 0


async def test_a_time_in_the_past_is_refused_and_nothing_is_left_behind(stage: Stage, main: asyncpg.Pool) -> None:
    campaign = await stage.campaigns.create(stage.account_id, stage.fields())
    with pytest.raises(UnusableTime):
        await stage.campaigns.schedule(stage.account_id, campaign.campaign_id, await stage.now() - timedelta(seconds=2))
    assert await main.fetchval("SELECT count(*) FROM content") == 0
    assert (await stage.campaigns.get(stage.account_id, campaign.campaign_id)).state is State.DRAFT


async def test_a_local_time_is_kept_as_its_people_read_it(stage: Stage) -> None:
    campaign = await stage.campaigns.create(stage.account_id, stage.fields())
    tomorrow = (await stage.now() + timedelta(days=1)).replace(tzinfo=None, microsecond=0)
    scheduled = await stage.campaigns.schedule(stage.account_id, campaign.campaign_id, tomorrow, "Asia/Tokyo")
    assert scheduled.local_time == tomorrow.isoformat()
    assert scheduled.time_zone == "Asia/Tokyo"
    assert scheduled.starts_at == (tomorrow - timedelta(hours=9)).replace(tzinfo=UTC)


async def test_content_is_frozen_at_scheduling(stage: Stage, main: asyncpg.Pool) -> None:
    await main.execute("UPDATE account SET tracking = 'aggregate', tracking_url = 'https://click.example.jp'")
    campaign = await stage.scheduled(seconds=60, rate_per_hour=7_200, weight=3, track_opens=False, track_honeypot=False)
    await main.execute("UPDATE account SET tracking = 'full', tracking_url = ''")
    await write_template(main, stage.template_id, 2, subject="Another")
    body = await main.fetchval("SELECT body FROM content")
    links = await main.fetchval("SELECT links FROM content")
    assert body["subject"] == "Hello {{ name }}"
    assert body["sender"]["address"] == "news@example.jp"
    assert body["attributes"] == ["name", "locale", "time_zone", "tags"]
    assert (body["track_opens"], body["track_clicks"], body["honeypot"]) == (False, True, False)
    assert (body["tracking"], body["tracker_url"]) == ("aggregate", "https://click.example.jp")
    assert links == ["https://example.com/"]
    lane = await main.fetchrow("SELECT pool, state, weight, rate_per_hour FROM lane WHERE run_id = $1", campaign.run_id)
    assert tuple(lane or ()) == ("bulk", "held", 3, 7_200)


async def test_whether_there_is_a_hidden_link_is_the_accounts_choice_unless_the_campaign_says(
    stage: Stage, main: asyncpg.Pool
) -> None:
    asked: list[tuple[bool, bool | None]] = [(True, None), (False, None), (False, True), (True, False)]
    held = []
    for account, campaign in asked:
        await main.execute("UPDATE account SET honeypot = $1", account)
        made = await stage.scheduled(seconds=60, track_honeypot=campaign)
        assert made.fields.track_honeypot is campaign
        body = await main.fetchval(
            "SELECT body FROM run JOIN content USING (content_id) WHERE run_id = $1", made.run_id
        )
        held.append(body["honeypot"])
    assert held == [True, False, True, False]


async def test_a_test_goes_to_its_members_at_once_and_leaves_the_draft_a_draft(
    stage: Stage, main: asyncpg.Pool
) -> None:
    members = await stage.members(3)
    campaign = await stage.campaigns.create(stage.account_id, stage.fields())
    run_id = await stage.campaigns.test(stage.account_id, campaign.campaign_id, [*members, members[0]])
    run = await stage.runs.get(stage.account_id, run_id)
    assert (run.kind, run.state, run.counts.snapshot, run.counts.waiting) == ("test", State.RUNNING, 3, 3)
    lane = await main.fetchrow("SELECT pool, state FROM lane WHERE run_id = $1", run_id)
    assert tuple(lane or ()) == ("fast", "running")
    chunk = await main.fetchrow("SELECT first_seq, last_seq, state FROM chunk WHERE run_id = $1", run_id)
    assert tuple(chunk or ()) == (1, 3, "ready")
    recipients = await main.fetch("SELECT member_id FROM recipient WHERE run_id = $1 ORDER BY seq", run_id)
    assert [row["member_id"] for row in recipients] == members
    assert await main.fetchval("SELECT body ->> 'subject' FROM content") == "[TEST] Hello {{ name }}"
    assert (await stage.campaigns.get(stage.account_id, campaign.campaign_id)).state is State.DRAFT
    await stage.campaigns.remove(stage.account_id, campaign.campaign_id)
    assert await stage.campaigns.count(stage.account_id) == 0
    assert (await stage.runs.get(stage.account_id, run_id)).campaign_id == campaign.campaign_id


async def test_a_test_names_each_member_that_may_not_be_sent_to(stage: Stage, main: asyncpg.Pool) -> None:
    (good,) = await stage.members(1)
    (pending,) = await stage.members(1, status="pending")
    campaign = await stage.campaigns.create(stage.account_id, stage.fields())
    with pytest.raises(InvalidInput) as caught:
        await stage.campaigns.test(stage.account_id, campaign.campaign_id, [good, pending, stage.new_id()])
    assert [fault.pointer for fault in caught.value.faults] == ["/members/1", "/members/2"]
    for wrong in ([], await stage.members(21)):
        with pytest.raises(InvalidInput):
            await stage.campaigns.test(stage.account_id, campaign.campaign_id, wrong)
    assert await main.fetchval("SELECT count(*) FROM run") == 0
