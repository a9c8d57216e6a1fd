"""A campaign by what its recipients have in common: told at the snapshot, counted exactly, and nothing sealed in it."""

import random
from collections import Counter
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.errors import InvalidInput
from core.ids import encode
from members.attribute import Choice
from members.attributes import AttributeStore
from members.segments import SegmentStore
from scheduler import chores
from scheduler.campaigns.fields import Campaign
from tests.support.campaigns import Stage
from tests.support.tracker import READER
from tracking import batches, breakdown, feed, tallies
from tracking.batches import Batch
from tracking.event import NO_LINK, Event
from tracking.figures import BY_REASON, COUNTS, Figures
from tracking.machines import rules, settlement
from tracking.machines.relabel import relabel
from tracking.reports import ReportStore
from tracking.traits import TraitReport, TraitStore
from tracking.verify import verify

RULES = rules.load()
ROBOT = "Mozilla/5.0 (compatible; Barracuda Sentinel)"
AGENTS = [RULES.agent(text.encode()) for text in (READER, "Mozilla/5.0", ROBOT)]
NOT_PLAYED = {"results_have_intents", "waiting_are_covered", "unsubscribes_stop"}
"""Laws of chunks, leases and stops: only what counts is played here."""


async def plans(stage: Stage) -> None:
    """An open attribute of few values, one that is sealed, and one that only names its keyed hashes."""
    store = AttributeStore(stage.vault, stage.new_id)
    choices = [Choice(value, {"en": value}) for value in ("free", "paid")]
    for name, protection in (("plan", "open"), ("income", "sealed"), ("tariff", "matchable")):
        await store.define(stage.account_id, name, "choice", protection=protection, choices=choices)  # type: ignore[arg-type]


async def segment(stage: Stage, attribute: str, value: str) -> str:
    store = SegmentStore(stage.vault, stage.rings, stage.audience, stage.new_id)
    made = await store.create(stage.account_id, f"{attribute} {value}", {"attribute": attribute, "equals": value})
    return encode("seg", made.segment_id)


async def cut(stage: Stage, **changes: Any) -> Campaign:
    campaign = await stage.scheduled(seconds=60, **changes)
    await chores.plan_audiences(stage.main, 600)
    await stage.cut_audiences(slice_rows=7)
    return campaign


async def run_of(stage: Stage, campaign: Campaign) -> UUID:
    run_id: UUID = await stage.main.fetchval(
        "UPDATE run SET state = 'running', started_at = app.now() WHERE run_id = $1 RETURNING run_id", campaign.run_id
    )
    return run_id


async def play(stage: Stage, main_tracker: asyncpg.Pool, run_id: UUID, size: int, chance: random.Random) -> None:
    """Results, omissions and events at random, some of nobody, counted as writers count them."""
    for seq in range(1, size + 1):
        outcome = chance.choice(["accepted", "accepted", "deferred", "failed", "uncertain", None, "omitted"])
        if outcome == "omitted":
            await stage.main.execute("INSERT INTO omission VALUES ($1, $2, 'unsubscribed', app.now())", run_id, seq)
            counted = ("suppressed", "unsubscribed")
        elif outcome:
            await stage.main.execute(
                "INSERT INTO result (run_id, seq, try, outcome, reason, at) VALUES ($1, $2, 1, $3, $4, app.now())",
                run_id, seq, outcome, None if outcome == "accepted" else "said",
            )  # fmt: skip
            counted = (outcome, "said")
        if outcome and outcome != "uncertain":
            await stage.main.execute(
                "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, $2, $3, 1, 0)",
                run_id, counted[0], "" if outcome == "accepted" else counted[1],
            )  # fmt: skip
    for _ in range(3):
        events = [
            Event(run_id, chance.randint(0, size), kind, chance.choice(AGENTS), 0 if kind == "click" else NO_LINK)
            for kind in chance.choices(("open", "click"), (3, 1), k=20)
        ]
        leaves = [Event(run_id, chance.randint(1, size), "unsubscribe", AGENTS[0]) for _ in range(2)]
        batch = Batch(stage.new_id(), [*events, *leaves], [float(n) for n in range(22)])
        await batches.store(main_tracker, batch, 100.0)


async def count(stage: Stage) -> None:
    """Have housekeeping count and fold what is there."""
    for _ in range(2):
        await feed.advance(stage.main)
    await breakdown.break_down(stage.main)
    await breakdown.fold(stage.main)
    await tallies.fold(stage.main, 3)


def same(parts: list[TraitReport], whole: Figures) -> bool:
    total = Figures.total(part.figures for part in parts)
    return all(getattr(total, name) == getattr(whole, name) for name in (*COUNTS, *BY_REASON))


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_values_of_an_attribute_add_up_to_the_campaign_however_events_came(
    stage: Stage, main_tracker: asyncpg.Pool, seed: int
) -> None:
    await plans(stage)
    group, shown = await stage.group("friends")
    await stage.members(8, plain={"plan": "free"}, group=group)
    await stage.members(5, plain={"plan": "paid"})
    await stage.members(4)
    named = await segment(stage, "plan", "paid")
    campaign = await cut(stage, report_by={"segments": [named]})
    run_id = await run_of(stage, campaign)
    store, chance = TraitStore(stage.main), random.Random(seed)
    asked = (stage.account_id, campaign.campaign_id)
    for after in ("settled", "relabelled"):
        if after == "settled":
            await play(stage, main_tracker, run_id, 17, chance)
            await settlement.settle(stage.main, RULES, 0)
        else:
            await stage.main.execute("UPDATE event SET agent = 0 WHERE seq % 2 = 0")
            now = await stage.now()
            await relabel(stage.main, RULES, now.replace(year=now.year - 1), now.replace(year=now.year + 1))
        await count(stage)
        total = (await ReportStore(stage.main).campaign(*asked)).total
        by_plan = await store.by_attribute(*asked, "plan")
        assert {(one.part, one.value): one.figures.snapshot for one in by_plan if one.figures.snapshot} == {
            ("value", "free"): 8, ("value", "paid"): 5, ("none", None): 4,
        }  # fmt: skip
        assert same(list(by_plan), total)
        assert total.opens > total.unique_opens > 0 < total.machine_opens
        by_group = await store.by_group(*asked)
        assert {one.value for one in by_group} == {str(group), None}
        assert same(list(by_group), total)
        paid = next(one for one in by_plan if one.value == "paid")
        assert paid.figures == next(one for one in await store.by_segment(*asked) if one.part == "value").figures
        [check] = await verify(stage.main, run_id)
        assert [fault for fault in check.faults if fault.law not in NOT_PLAYED] == []
    assert shown.startswith("grp_")


async def test_a_late_truth_and_a_lost_counter_are_seen(stage: Stage) -> None:
    await plans(stage)
    await stage.members(3, plain={"plan": "free"})
    campaign = await cut(stage)
    run_id, store = await run_of(stage, campaign), TraitStore(stage.main)
    await stage.main.execute(
        "INSERT INTO result (run_id, seq, try, outcome, at) VALUES ($1, 1, 1, 'uncertain', app.now())", run_id
    )
    [free] = await store.by_attribute(stage.account_id, campaign.campaign_id, "plan")
    assert (free.figures.snapshot, free.figures.uncertain, free.figures.waiting) == (3, 1, 2)
    await stage.main.execute("UPDATE result SET outcome = 'accepted'")
    [free] = await store.by_attribute(stage.account_id, campaign.campaign_id, "plan")
    assert (free.figures.accepted, free.figures.uncertain, free.figures.waiting) == (1, 0, 2)
    await stage.main.execute("DELETE FROM breakdown_delta WHERE dimension = 'trait' AND kind = 'accepted'")
    [check] = await verify(stage.main, run_id)
    assert "traits_add_up" in {fault.law for fault in check.faults}


async def test_nothing_sealed_or_matchable_is_told_apart_and_naming_it_is_refused(stage: Stage) -> None:
    await plans(stage)
    await stage.members(2, plain={"plan": "free"})
    sealed, matchable = await segment(stage, "income", "paid"), await segment(stage, "tariff", "paid")
    asked = {"attributes": ["plan", "income", "tariff", "nothing"], "segments": [sealed, matchable]}
    with pytest.raises(InvalidInput) as refused:
        await stage.scheduled(report_by=asked)
    assert Counter((fault.pointer, fault.code) for fault in refused.value.faults) == Counter(
        [
            ("/report_by/attributes/1", "not-open"),
            ("/report_by/attributes/2", "not-open"),
            ("/report_by/attributes/3", "unknown"),
            ("/report_by/segments/0", "not-open"),
            ("/report_by/segments/1", "not-open"),
        ]
    )
    await cut(stage, audience={"segments": [matchable, await segment(stage, "plan", "free")]})
    told = await stage.main.fetch("SELECT dimension, name, part FROM trait ORDER BY no")
    assert {tuple(row) for row in told} == {("attribute", "plan", "value"), ("segment", "", "value")}


async def test_an_audience_that_takes_opening_is_told_apart_too(stage: Stage) -> None:
    await plans(stage)
    await stage.members(3, plain={"plan": "paid"})
    store = SegmentStore(stage.vault, stage.rings, stage.audience, stage.new_id)
    active = await store.create(stage.account_id, "active", {"status": ["active"]})
    campaign = await cut(stage, audience={"segments": [encode("seg", active.segment_id)]})
    [paid] = await TraitStore(stage.main).by_attribute(stage.account_id, campaign.campaign_id, "plan")
    assert (paid.value, paid.figures.snapshot) == ("paid", 3)
