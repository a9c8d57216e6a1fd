"""People and machines apart: labelled by agent at once, by behaviour when settled, counted exactly once."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from importlib import resources

import asyncpg
import pytest

from core.ids import IdSource
from tests.support.postgres import shift_clock
from tests.support.runs import Run, make_run
from tests.support.tracker import READER, tracker
from tracking import batches, tallies
from tracking.batches import Batch
from tracking.event import NO_LINK, Event, Kind
from tracking.machines import rules, settlement
from tracking.machines.relabel import Relabelled, relabel
from tracking.verify import verify

RULES = rules.load()
PERSON, GMAIL, APPLE = (
    RULES.agent(text.encode()) for text in (READER, "x (via ggpht.com GoogleImageProxy)", "Mozilla/5.0")
)
HOUR = 3_600.0

# Gmail's proxy is a machine, Apple's a person, and who follows every link is one too.
OTHER_RULES = rules.read(
    resources.files("tracking.machines").joinpath("rules.toml").read_text("utf-8")
    .replace("least = 3", "least = 9")
    .replace('"apple_privacy_proxy"\nlabel = "machine"', '"apple_privacy_proxy"\nlabel = "human"')
    .replace('"gmail_image_proxy"\nlabel = "human"', '"gmail_image_proxy"\nlabel = "machine"')
    .replace("seconds = 2.0", "seconds = 0.0")
)  # fmt: skip

Did = tuple[int, Kind, rules.Agent, int, float]
"""Recipient, kind, agent, link, seconds ago."""


async def did(main_tracker: asyncpg.Pool, new_id: IdSource, run: Run, *events: Did) -> None:
    batch = Batch(
        new_id(),
        [Event(run.run_id, seq, kind, agent, link) for seq, kind, agent, link, _ in events],
        [HOUR - ago for *_, ago in events],
    )
    assert await batches.store(main_tracker, batch, HOUR) == set()


async def delivered(main: asyncpg.Pool, run: Run, seconds_ago: float, seqs: Sequence[int]) -> None:
    await main.execute(
        "INSERT INTO result (run_id, seq, try, outcome, at)"
        " SELECT $1, seq, 1, 'accepted', app.now() - make_interval(secs => $2) FROM unnest($3::int[]) AS seq",
        run.run_id, seconds_ago, seqs,
    )  # fmt: skip
    await main.execute(
        "INSERT INTO tally_delta (run_id, kind, total, people) VALUES ($1, 'accepted', $2, 0)", run.run_id, len(seqs)
    )


async def counted(main: asyncpg.Pool, run: Run) -> dict[tuple[str, int], tuple[int, int]]:
    return {
        (t.kind, t.link): (t.total, t.people)
        for t in await tallies.read(main, [run.run_id])
        if t.kind != "accepted" and t.total
    }


async def labels(main: asyncpg.Pool, run: Run) -> set[tuple[int, str, str, str | None]]:
    rows = await main.fetch("SELECT seq, kind, label, rule FROM event WHERE run_id = $1", run.run_id)
    return {(row["seq"], row["kind"], row["label"], row["rule"]) for row in rows}


async def broken(main: asyncpg.Pool) -> set[str]:
    """The laws of events that don't hold; those of deliveries are not played here."""
    (check,) = await verify(main)
    played = {"results_have_intents", "waiting_are_covered"}
    return {f"{one.law} {one.examples}" for one in check.faults if one.law not in played}


async def test_people_and_machines_are_told_apart_and_counted_once_whatever_happens(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, recipients=7, chunk_state="done")
    await delivered(main, run, 600, [1, 2, 3, 4, 5])
    await delivered(main, run, 60, [6])
    await did(
        main_tracker, new_id, run,
        (1, "open", PERSON, NO_LINK, 300), (1, "open", PERSON, NO_LINK, 200), (1, "click", PERSON, 1, 190),
        (2, "open", APPLE, NO_LINK, 500), (2, "open", PERSON, NO_LINK, 100),
        (3, "open", GMAIL, NO_LINK, 500),
    )  # fmt: skip
    await did(
        main_tracker, new_id, run,
        *((4, "click", PERSON, link, 400 - link) for link in (0, 1, 2)), (4, "open", PERSON, NO_LINK, 395),
        (4, "click", PERSON, 2, 100),
        (5, "honeypot", PERSON, NO_LINK, 50), (5, "click", PERSON, 0, 51), (5, "unsubscribe", PERSON, NO_LINK, 50),
        (6, "open", PERSON, NO_LINK, 59), (6, "open", PERSON, NO_LINK, 20),
    )  # fmt: skip
    at_once = {
        ("open", -1): (8, 5), ("click", -1): (6, 3), ("click", 0): (2, 2), ("click", 1): (2, 2), ("click", 2): (2, 1),
        ("honeypot", -1): (1, 1), ("unsubscribe", -1): (1, 1),
    }  # fmt: skip
    assert await counted(main, run) == at_once
    assert await settlement.settle(main, RULES, HOUR) == 0
    assert await counted(main, run) == at_once
    assert await broken(main) == set()

    # Two schedulers at once, and a third turn: each batch is settled once.
    assert sum(await asyncio.gather(*(settlement.settle(main, RULES, 0) for _ in range(2)))) == 2
    assert await settlement.settle(main, RULES, 0) == 0
    assert await labels(main, run) == {
        (1, "open", "human", None), (1, "click", "human", None),
        (2, "open", "machine", "apple_privacy_proxy"), (2, "open", "human", None),
        (3, "open", "human", "gmail_image_proxy"),
        (4, "click", "machine", "every_link"), (4, "open", "machine", "every_link"), (4, "click", "human", None),
        (5, "honeypot", "human", None), (5, "click", "machine", "honeypot"), (5, "unsubscribe", "human", None),
        (6, "open", "machine", "soon_after_delivery"), (6, "open", "human", None),
    }  # fmt: skip
    assert await counted(main, run) == at_once | {
        ("human_open", -1): (5, 4), ("machine_open", -1): (3, 3),
        ("human_click", -1): (2, 2), ("human_click", 1): (1, 1), ("human_click", 2): (1, 1),
        ("machine_click", -1): (4, 2), ("machine_click", 0): (2, 2), ("machine_click", 1): (1, 1),
        ("machine_click", 2): (1, 1),
    }  # fmt: skip
    while await tallies.fold(main, 3):
        pass
    assert await broken(main) == set()
    await relabelled(main, run)
    # An unsubscribe is honoured whoever asked for it.
    assert await main.fetchval("SELECT member_id FROM stop") == run.members[4]


async def relabelled(main: asyncpg.Pool, run: Run) -> None:
    """Relabelling after a change of the rules, and back."""
    before = await counted(main, run)
    now = await main.fetchval("SELECT app.now()")
    day = timedelta(days=1)
    assert await relabel(main, RULES, now - day, now + day) == Relabelled(14, 0)
    assert await relabel(main, OTHER_RULES, now - 2 * day, now - day) == Relabelled(0, 0)
    assert (await relabel(main, OTHER_RULES, now - timedelta(seconds=250), now + day)).changed == 1
    assert await broken(main) == set()
    assert (await relabel(main, OTHER_RULES, now - day, now + day)).changed == 6
    assert {key: value for key, value in (await counted(main, run)).items() if key[0] not in {"open", "click"}} == {
        ("honeypot", -1): (1, 1), ("unsubscribe", -1): (1, 1),
        ("human_open", -1): (7, 4), ("machine_open", -1): (1, 1),
        ("human_click", -1): (5, 2), ("human_click", 0): (1, 1), ("human_click", 1): (2, 2), ("human_click", 2): (2, 1),
        ("machine_click", -1): (1, 1), ("machine_click", 0): (1, 1),
    }  # fmt: skip
    assert await broken(main) == set()
    assert (await relabel(main, OTHER_RULES, now - day, now + day)).changed == 0
    await relabel(main, RULES, now - day, now + day)
    assert await counted(main, run) == before
    assert await broken(main) == set()


async def test_the_figure_of_people_settles_at_a_time_that_can_be_told(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    now = await main.fetchval("SELECT app.now()")
    await did(main_tracker, new_id, run, (1, "open", PERSON, NO_LINK, 0))
    await settlement.settle(main, RULES, 900)
    assert await settlement.settled_until(main) <= now
    await shift_clock(main_owner, 880)
    await did(main_tracker, new_id, run, (2, "open", PERSON, NO_LINK, 0))
    assert await settlement.settle(main, RULES, 900) == 0
    await shift_clock(main_owner, 30)
    assert await settlement.settle(main, RULES, 900) == 1
    until = await settlement.settled_until(main)
    assert (until - now).total_seconds() == pytest.approx(10, abs=8)
    assert (await counted(main, run))["human_open", -1] == (1, 1)
    # What came later and is not settled yet holds the time back, however late it is seen to.
    await shift_clock(main_owner, 5_000)
    await settlement.settle(main, RULES, 10_000)
    assert await settlement.settled_until(main) == until
    await settlement.settle(main, RULES, 900)
    assert (await settlement.settled_until(main) - now).total_seconds() == pytest.approx(5_010, abs=8)


async def test_a_batch_that_comes_again_long_after_its_id_was_forgotten_is_known_by_its_events(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    event = Event(run.run_id, 1, "open", PERSON)
    batch = Batch(new_id(), [event, Event(run.run_id, 99, "open", PERSON)], [0.0, 0.0])
    assert await batches.store(main_tracker, batch, 5.0) == {1}
    await settlement.settle(main, RULES, 0)
    assert await tallies.forget_batches(main) == 0
    await shift_clock(main_owner, 7_200)
    assert await tallies.forget_batches(main) == 1
    assert await batches.store(main_tracker, batch, 7_205.0) == {1}
    assert await counted(main, run) == {("open", -1): (1, 1), ("human_open", -1): (1, 1)}
    assert await main.fetchval("SELECT count(*) FROM event") == 1


async def test_an_unsettled_batch_is_not_forgotten(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    await did(main_tracker, new_id, run, (1, "open", PERSON, NO_LINK, 0))
    await shift_clock(main_owner, 86_400)
    assert await tallies.forget_batches(main) == 0
    assert await settlement.settle(main, RULES, 900) == 1


async def test_agents_are_kept_by_their_text_and_what_is_prefetched_counts_nothing(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    async with tracker(main_tracker) as web:
        await web.get(run.open_path(1))
        await web.get(run.open_path(2), headers={"user-agent": "curl/8.5.0"})
        await web.get(run.open_path(2), headers={"user-agent": "curl/8.5.0"})
        for header in ({"purpose": "prefetch"}, {"sec-purpose": "prefetch;anonymous-client-ip"}, {"x-moz": "prefetch"}):
            assert (await web.get(run.open_path(3), headers=header)).status_code == 200
            assert (await web.get(run.click_path(3), headers=header)).status_code == 302
        # A scanner's POST is as good as any other.
        await web.post(run.unsubscribe_path(3), headers={"purpose": "prefetch", "user-agent": "Google-Safety"})
    rows = await main.fetch("SELECT text, label, count(*) FROM event JOIN agent USING (agent) GROUP BY 1, 2 ORDER BY 1")
    assert [tuple(row) for row in rows] == [
        ("Google-Safety", "machine", 1), (READER, "human", 1), ("curl/8.5.0", "machine", 2),
    ]  # fmt: skip
    assert await main.fetchval("SELECT count(*) FROM stop") == 1


async def test_the_hidden_link_leads_nowhere_and_marks_who_followed_it(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id)
    async with tracker(main_tracker) as web:
        await web.get(run.open_path(1))
        answer = await web.get(run.honeypot_path(1))
        assert (answer.status_code, "location" in answer.headers) == (204, False)
        assert (await web.head(run.honeypot_path(2))).status_code == 204
        assert (await web.get(run.honeypot_path(2).replace("/c/", "/o/"))).status_code == 404
    await settlement.settle(main, RULES, 0)
    assert await counted(main, run) == {("open", -1): (1, 1), ("honeypot", -1): (1, 1), ("machine_open", -1): (1, 1)}


async def test_what_names_nobody_is_counted_in_sums_and_as_no_person(
    main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, chunk_state="done")
    async with tracker(main_tracker) as web:
        for path in (run.open_path(0), run.open_path(0), run.open_path(1), *(run.click_path(0, n) for n in (0, 1, 2))):
            assert (await web.get(path)).status_code in {200, 302}
        await web.get(run.open_path(0), headers={"user-agent": "Mozilla/5.0"})
        assert (await web.post(run.unsubscribe_path(0))).status_code == 404
    await settlement.settle(main, RULES, 0)
    people = {"open": 1, "human_open": 1}
    found = await counted(main, run)
    assert {kind: found[kind, -1] for kind in ("open", "human_open", "machine_open", "click", "human_click")} == {
        "open": (4, people["open"]), "human_open": (3, people["human_open"]), "machine_open": (1, 0),
        "click": (3, 0), "human_click": (3, 0),
    }  # fmt: skip
    assert await main.fetchval("SELECT count(*) FROM engagement_delta") == 1
    now = await main.fetchval("SELECT app.now()")
    assert (await relabel(main, OTHER_RULES, now - timedelta(days=1), now + timedelta(days=1))).changed == 1
    assert (await counted(main, run))["human_open", -1] == (4, 1)
    assert await broken(main) == set()
