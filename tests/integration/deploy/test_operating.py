"""`todoku queue` and `todoku inspect` as an operator calls them, on a database that is arranged by hand."""

from collections.abc import Mapping
from typing import Any

import asyncpg
import orjson
import pytest

from core import ids
from core.errors import InvalidInput, NotFound
from core.ids import IdSource
from delivery.suspension import suspend_run
from deploy.dsns import Dsns
from deploy.operating import history, targets, waiting
from deploy.operating.targets import Campaign, Site, Source
from tests.support.command_line import todoku
from tests.support.operating import Arranged, arrange
from tests.support.postgres import shift_clock


@pytest.fixture
async def arranged(main: asyncpg.Pool, new_id: IdSource) -> Arranged:
    return await arrange(main, new_id)


NOTHING_MORE: Mapping[str, Any] = {}


async def tried(
    main: asyncpg.Pool,
    arranged: Arranged,
    seq: int,
    try_: int,
    outcome: str | None,
    more: Mapping[str, Any] = NOTHING_MORE,
) -> None:
    """One try of a recipient, with its result if there is one."""
    await main.execute(
        "INSERT INTO intent (run_id, seq, try, epoch, chunk_id, owner, at) VALUES ($1, $2, $3, 1, 1, $4, app.now())",
        *(arranged.run_id, seq, try_, arranged.owner),
    )
    if outcome is not None:
        await main.execute(
            "INSERT INTO result (run_id, seq, try, outcome, code, reason, detail, source_id, site_id, at)"
            " VALUES ($1, $2, $3, $4::text::outcome, $5, $6, $7, $8, $9, app.now())",
            *(arranged.run_id, seq, try_, outcome, more.get("code"), more.get("reason"), more.get("detail")),
            *(more.get("source"), more.get("site")),
        )


# --- queue ---


async def test_what_waits_is_shown_by_run_site_and_reason(
    dsns: Dsns, main: asyncpg.Pool, arranged: Arranged, tmp_path: Any
) -> None:
    done = todoku("queue", data_dir=tmp_path, main_dsn=dsns.main)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0][:4] == [
        ids.encode("cmp", arranged.run.campaign_id),
        ids.encode("run", arranged.run_id) + ":",
        "100",
        "recipients",
    ]
    assert ["any", "new", "53", "1", "now"] in rows
    assert ["google", "site", "40", "1", "now", "for", "10", "min"] in rows
    assert [f"site-{arranged.other}", "retry", "7", "1", "now", "for", "10", "min"] in rows
    assert "mx1: suspended for 60 min (operator: a new certificate)" in done.stdout
    assert rows[-1] == ["100", "recipients", "in", "3", "chunks"]
    assert not any(str(member) in done.stdout for member in arranged.run.members)


async def test_the_queue_of_one_site_or_campaign_as_json(
    dsns: Dsns, arranged: Arranged, new_id: IdSource, tmp_path: Any
) -> None:
    named = {"data_dir": tmp_path, "main_dsn": dsns.main}
    shown = orjson.loads(todoku("queue", "--site", "google", "--json", **named).stdout)
    [group] = shown["groups"]
    assert (group["provider"], group["why"], group["recipients"], group["due_in"]) == ("google", "site", 40, 0)
    assert (shown["recipients"], shown["chunks"]) == (40, 1)
    campaign = ids.encode("cmp", arranged.run.campaign_id)
    assert orjson.loads(todoku("queue", "--campaign", campaign, "--json", **named).stdout)["recipients"] == 100
    for words in (("--site", "gogle"), ("--site", "mx1"), ("--campaign", ids.encode("cmp", new_id()))):
        refused = todoku("queue", *words, **named)
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1), refused.stderr


async def test_what_is_in_hand_what_is_due_later_and_what_holds_a_run_are_told_apart(
    main: asyncpg.Pool, arranged: Arranged
) -> None:
    await main.execute("UPDATE chunk SET state = 'leased', owner = $1 WHERE why = 'new'", arranged.owner)
    await main.execute("UPDATE chunk SET not_before = app.now() + interval '20 minutes' WHERE why = 'retry'")
    await main.execute(
        "INSERT INTO chunk (run_id, first_seq, last_seq, seqs, site_id, why, state)"
        " VALUES ($1, 1, 2, '{1,2}', $2, 'retry', 'done')",
        *(arranged.run_id, arranged.other),
    )
    await suspend_run(main, arranged.run_id, 3_600, "rule slow")
    found = {group.why: group for group in await waiting.groups(main)}
    assert set(found) == {"sending", "site", "retry"}
    assert (found["sending"].recipients, found["retry"].recipients) == (53, 7)
    assert 1_190 < found["retry"].due_in <= 1_200
    assert found["site"].held_by == "pausing, 60 min left"


async def test_groups_of_many_chunks_are_one_line_each(main: asyncpg.Pool, arranged: Arranged) -> None:
    await main.execute(
        "INSERT INTO chunk (run_id, first_seq, last_seq, seqs, site_id, why)"
        " SELECT $1, n, n, ARRAY[n], $2, 'site' FROM generate_series(1, 500) AS n",
        *(arranged.run_id, arranged.google),
    )
    [group] = await waiting.groups(main, site_id=arranged.google)
    assert (group.chunks, group.recipients) == (501, 540)


async def test_a_relays_door_is_where_what_is_not_sorted_goes(main: asyncpg.Pool, arranged: Arranged) -> None:
    site = await targets.find_site(main, "relay")
    assert [group.recipients for group in await waiting.groups(main, site_id=site.site_id)] == [53]


async def test_an_idle_queue_says_so(dsns: Dsns, main: asyncpg.Pool, tmp_path: Any) -> None:
    assert todoku("queue", data_dir=tmp_path, main_dsn=dsns.main).stdout == "Nothing waits.\n"


# --- inspect ---


async def test_the_whole_story_of_a_delivery_is_told(
    dsns: Dsns, main: asyncpg.Pool, arranged: Arranged, tmp_path: Any
) -> None:
    said = "421 4.7.0 too many from <address>"
    way = {"source": arranged.mx1, "site": arranged.google}
    await tried(main, arranged, 5, 1, "deferred", {"code": 421, "reason": "throttled", "detail": said, **way})
    await tried(main, arranged, 5, 2, "released")
    await main.execute("INSERT INTO event VALUES ($1, 5, 'click', 2, app.now())", arranged.run_id)
    await main.execute(
        "INSERT INTO event (run_id, seq, kind, detail, occurred_at) VALUES ($1, 5, 'bounce', 'hard', app.now())",
        arranged.run_id,
    )
    await main.execute(
        "INSERT INTO bounce VALUES ($1, 5, 'hard', 'no_such_user', '5.1.1', '550 5.1.1 User unknown', app.now())",
        arranged.run_id,
    )
    named = {"data_dir": tmp_path, "main_dsn": dsns.main}
    delivery = f"{ids.encode('run', arranged.run_id)}/5"
    done = todoku("inspect", delivery, **named)
    assert done.returncode == 0, done.stderr
    text = done.stdout
    assert f"{delivery}, of 100 in the snapshot" in text
    assert ids.encode("mem", arranged.run.members[4]) in text
    assert "421 throttled  by mx1 to google from bulk 3 on here" in text
    assert said in text
    assert "click of link 2" in text
    assert "bounce, hard: no_such_user 5.1.1\n           550 5.1.1 User unknown" in text
    assert "state      deferred" in text
    assert "waits for  room at google" in text
    shown = orjson.loads(todoku("inspect", delivery, "--json", **named).stdout)
    assert [(one["number"], one["outcome"], one["site"]) for one in shown["tries"]] == [
        (1, "deferred", "google"),
        (2, "released", None),
    ]
    assert shown["chunk"]["why"] == "site"


async def test_a_delivery_that_is_settled_waits_for_nothing(main: asyncpg.Pool, arranged: Arranged) -> None:
    await tried(main, arranged, 1, 1, "accepted")
    await tried(main, arranged, 2, 1, "failed", {"code": 550, "reason": "no_such_user"})
    await tried(main, arranged, 3, 1, "uncertain")
    await main.execute("INSERT INTO omission VALUES ($1, 4, 'unsubscribed', app.now())", arranged.run_id)
    await main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'unsubscribed', app.now())",
        *(arranged.account_id, arranged.run.members[3]),
    )
    stories = [await history.read(main, arranged.run_id, seq) for seq in (1, 2, 3, 4)]
    assert [story.outcome for story in stories] == ["accepted", "failed", "uncertain", "suppressed"]
    assert [story.waits_for for story in stories] == [[], [], [], []]
    assert stories[3].omission is not None
    assert [stop["reason"] for stop in stories[3].stops] == ["unsubscribed"]


async def test_what_a_delivery_waits_for_is_said(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, arranged: Arranged
) -> None:
    async def waits(seq: int) -> str:
        return "; ".join((await history.read(main, arranged.run_id, seq)).waits_for)

    await main.execute("UPDATE restriction SET lifted_at = app.now()")
    assert await waits(60) == "a worker to claim it"
    assert await waits(5) == "room at google"
    await main.execute("UPDATE chunk SET not_before = app.now() + interval '20 minutes' WHERE why = 'retry'")
    assert await waits(43) == "its next try, in 20 min"
    await main.execute("UPDATE lane SET next_claim_at = app.now() + interval '50 seconds'")
    assert await waits(60) == "its campaign's rate, for 50 s"
    await main.execute("UPDATE chunk SET state = 'leased', owner = $1 WHERE why = 'new'", arranged.owner)
    await tried(main, arranged, 60, 1, None)
    assert (await history.read(main, arranged.run_id, 60)).outcome == "sending"
    assert await waits(60) == "nothing: bulk 3 on here has it in hand"
    await suspend_run(main, arranged.run_id, 3_600, "rule slow")
    assert (await waits(5)).startswith("its campaign, which is pausing until 20")
    await main.execute("UPDATE chunk SET state = 'done' WHERE why = 'site'")
    assert "run is not cut so far" in await waits(5)


async def test_a_delivery_that_is_not_there_or_not_named_so_is_refused(
    main: asyncpg.Pool, arranged: Arranged, new_id: IdSource
) -> None:
    run = ids.encode("run", arranged.run_id)
    assert history.parse(f"{run}/17") == (arranged.run_id, 17)
    for text in ("", run, f"{run}/", f"{run}/0", f"{run}/x", f"{run}/1/2", "cmp_1/1", f"{run}/{10**12}"):
        with pytest.raises((InvalidInput, NotFound)):
            history.parse(text)
    for run_id, seq in ((arranged.run_id, 101), (new_id(), 1)):
        with pytest.raises(NotFound):
            await history.read(main, run_id, seq)


async def test_a_forgotten_worker_and_a_finished_run_leave_a_readable_story(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, arranged: Arranged
) -> None:
    await tried(main, arranged, 1, 1, "accepted")
    await main.execute("DELETE FROM permit")
    await main.execute("DELETE FROM worker")
    await main.execute("UPDATE chunk SET state = 'done', owner = NULL")
    await main.execute("UPDATE run SET state = 'finished' WHERE run_id = $1", arranged.run_id)
    await shift_clock(main_owner, 86_400)
    story = await history.read(main, arranged.run_id, 1)
    assert (story.outcome, story.tries[0].worker, story.waits_for) == ("accepted", None, [])


# --- what is named ---


async def test_sites_sources_and_campaigns_are_found_by_what_they_are_called(
    main: asyncpg.Pool, arranged: Arranged
) -> None:
    google, other = Site(arranged.google, "google"), Site(arranged.other, None)
    assert await targets.find(main, "google") == google
    assert await targets.find(main, "site:google") == google
    for text in (f"site-{arranged.other}", f"site {arranged.other}", f"site:site-{arranged.other}"):
        assert await targets.find(main, text) == other
    assert await targets.find(main, "mx1") == Source(arranged.mx1, "mx1")
    assert await targets.find(main, "relay") == Site(0, None)
    campaign = await targets.find(main, ids.encode("cmp", arranged.run.campaign_id))
    assert isinstance(campaign, Campaign)
    assert (campaign.run_id, campaign.state) == (arranged.run_id, "running")


async def test_a_name_that_means_two_things_has_to_say_which(main: asyncpg.Pool, arranged: Arranged) -> None:
    await main.execute("UPDATE source SET name = 'google' WHERE name = 'mx1'")
    with pytest.raises(InvalidInput, match="source:google or site:google"):
        await targets.find(main, "google")
    assert await targets.find(main, "source:google") == Source(arranged.mx1, "google")
    assert await targets.find(main, "site:google") == Site(arranged.google, "google")


async def test_what_is_not_there_is_not_found(main: asyncpg.Pool, arranged: Arranged, new_id: IdSource) -> None:
    for text in ("yahoo", "site-99999", "source:google", "site:mx1", ids.encode("cmp", new_id()), "cmp_x"):
        with pytest.raises(NotFound):
            await targets.find(main, text)


async def test_a_domain_is_looked_for_by_who_can(main: asyncpg.Pool, arranged: Arranged) -> None:
    with pytest.raises(NotFound):
        await targets.find(main, "gmail.example")
    asked = []

    async def resolve(domain: str) -> Site:
        asked.append(domain)
        return Site(arranged.google, "google")

    assert await targets.find(main, "gmail.example", resolve) == Site(arranged.google, "google")
    assert await targets.find_site(main, "gmail.example", resolve) == Site(arranged.google, "google")
    assert asked == ["gmail.example", "gmail.example"]
