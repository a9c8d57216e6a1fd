import asyncpg
import pytest

from core.errors import NotFound
from scheduler import chores
from scheduler.campaigns.fields import Campaign
from scheduler.campaigns.states import State
from scheduler.runs import DeliveryState
from scheduler.starts import start_due
from tests.support.campaigns import Stage
from tracking.tallies import fold


async def running(stage: Stage, members: int) -> Campaign:
    await stage.members(members)
    campaign = await stage.scheduled()
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences()
    await start_due(stage.main)
    return campaign


async def tried(stage: Stage, campaign: Campaign, seq: int, *outcomes: str | None) -> None:
    """Record tries of one recipient, as workers do; None is a try that is still under way."""
    for number, outcome in enumerate(outcomes, 1):
        await stage.main.execute(
            "INSERT INTO intent VALUES ($1, $2, $3, 1, 1, $4, app.now())",
            campaign.run_id,
            seq,
            number,
            stage.account_id,
        )
        if outcome is None:
            continue
        await stage.main.execute(
            "INSERT INTO result (run_id, seq, try, outcome, code, reason, at)"
            " VALUES ($1, $2, $3, $4::text::outcome, 250, 'because', app.now())",
            campaign.run_id,
            seq,
            number,
            outcome,
        )
        if outcome in {"accepted", "failed", "deferred"}:
            await stage.main.execute(
                "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, $2, 'because', 1, 0)",
                campaign.run_id,
                outcome,
            )


async def omit(stage: Stage, campaign: Campaign, seq: int) -> None:
    await stage.main.execute("INSERT INTO omission VALUES ($1, $2, 'unsubscribed', app.now())", campaign.run_id, seq)
    await stage.main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, 'suppressed', 'unsubscribed', 1, 0)",
        campaign.run_id,
    )


async def played(stage: Stage) -> Campaign:
    campaign = await running(stage, 10)
    await tried(stage, campaign, 1, "accepted")
    await tried(stage, campaign, 2, "released", "deferred", "accepted")
    await tried(stage, campaign, 3, "failed")
    await tried(stage, campaign, 4, "uncertain")
    await tried(stage, campaign, 5, "deferred")
    await tried(stage, campaign, 6, None)
    await tried(stage, campaign, 7, "uncertain", "accepted")
    await omit(stage, campaign, 8)
    return campaign


async def test_the_counts_add_up_before_and_after_folding(stage: Stage) -> None:
    campaign = await played(stage)
    before = (await stage.run(campaign)).counts
    assert (before.snapshot, before.accepted, before.uncertain, before.waiting) == (10, 3, 1, 4)
    assert (before.failed, before.suppressed, before.cancelled) == ({"because": 1}, {"unsubscribed": 1}, 0)
    assert await fold(stage.main) > 0
    assert (await stage.run(campaign)).counts == before


async def test_each_delivery_is_shown_with_its_last_outcome(stage: Stage) -> None:
    campaign = await played(stage)
    assert campaign.run_id is not None
    found = await stage.runs.deliveries(stage.account_id, campaign.run_id)
    assert [(one.state.value, one.tries) for one in found] == [
        ("accepted", 1),
        ("accepted", 2),
        ("failed", 1),
        ("uncertain", 1),
        ("deferred", 1),
        ("sending", 1),
        ("accepted", 2),
        ("suppressed", 0),
        ("waiting", 0),
        ("waiting", 0),
    ]
    recipients = await stage.recipients(campaign)
    assert [(one.seq, one.member_id) for one in found] == [(row["seq"], row["member_id"]) for row in recipients]
    page = await stage.runs.deliveries(stage.account_id, campaign.run_id, after=4, limit=2)
    assert [one.seq for one in page] == [5, 6]


async def test_uncertain_deliveries_are_listed(stage: Stage) -> None:
    campaign = await played(stage)
    assert campaign.run_id is not None
    found = await stage.runs.deliveries(stage.account_id, campaign.run_id, uncertain_only=True)
    assert [(one.seq, one.state) for one in found] == [(4, DeliveryState.UNCERTAIN)]


async def test_what_a_cancelled_run_left_is_cancelled(stage: Stage) -> None:
    campaign = await played(stage)
    await stage.campaigns.cancel(stage.account_id, campaign.campaign_id)
    await chores.settle(stage.main)
    run = await stage.run(campaign)
    assert (run.state, run.counts.cancelled, run.counts.waiting) == (State.CANCELLED, 4, 0)
    found = await stage.runs.deliveries(stage.account_id, run.run_id, after=8)
    assert {one.state for one in found} == {DeliveryState.CANCELLED}


async def test_runs_are_listed_by_campaign_in_the_order_of_their_making(stage: Stage, main: asyncpg.Pool) -> None:
    (member,) = await stage.members(1)
    campaign = await stage.scheduled(seconds=60)
    other = await stage.scheduled(seconds=60)
    test = await stage.campaigns.test(stage.account_id, campaign.campaign_id, [member])
    listed = await stage.runs.list(stage.account_id, campaign_id=campaign.campaign_id)
    assert [(run.run_id, run.kind) for run in listed] == [(campaign.run_id, "campaign"), (test, "test")]
    everything = await stage.runs.list(stage.account_id)
    assert [run.run_id for run in everything] == [campaign.run_id, other.run_id, test]
    after = await stage.runs.list(stage.account_id, after=other.run_id, limit=5)
    assert [run.run_id for run in after] == [test]
    with pytest.raises(NotFound):
        await stage.runs.deliveries(stage.new_id(), test)
