from uuid import UUID

import asyncpg
import pytest

from core.errors import NotFound
from core.ids import IdSource
from tests.support.runs import Run, make_run
from tests.support.tracker import tracker
from tracking import tallies
from tracking.machines import rules, settlement
from tracking.verify import LAWS, verify

# Eight recipients: 1 accepted at the second try, 2 refused, 3 left out, 4 uncertain, 5 not yet tried, 6 deferred,
# 7 on the wire, 8 accepted and very interested.
_HISTORY = """
INSERT INTO worker (owner, pool, slot, host, pid, alive_until) VALUES ('{owner}', 'bulk', 0, 'h', 1, 'infinity');
INSERT INTO chunk (run_id, first_seq, last_seq, seqs, state, owner, epoch)
    VALUES ('{run}', 7, 7, '{{7}}', 'leased', '{owner}', 3), ('{run}', 5, 6, '{{5,6}}', 'ready', NULL, 0);
INSERT INTO intent (run_id, seq, try, epoch, chunk_id, owner, at)
    SELECT '{run}', seq, try, 1, {chunk}, '{owner}', '2026-04-01 09:00Z'
    FROM (VALUES (1, 1), (1, 2), (2, 1), (4, 1), (6, 1), (8, 1)) v (seq, try);
INSERT INTO intent (run_id, seq, try, epoch, chunk_id, owner, at)
    SELECT '{run}', 7, 1, 3, chunk_id, '{owner}', '2026-04-01 09:01Z' FROM chunk WHERE seqs = '{{7}}';
INSERT INTO result (run_id, seq, try, outcome, reason, at)
    SELECT '{run}', seq, try, outcome::outcome, reason, '2026-04-01 09:00Z'
    FROM (VALUES (1, 1, 'deferred', 'greylisted'), (1, 2, 'accepted', 'accepted'), (2, 1, 'failed', 'no_such_user'),
                 (4, 1, 'uncertain', 'connection_lost'), (6, 1, 'deferred', 'greylisted'),
                 (8, 1, 'accepted', 'accepted')) v (seq, try, outcome, reason);
INSERT INTO omission (run_id, seq, reason, at) VALUES ('{run}', 3, 'unsubscribed', '2026-04-01 09:00Z');
INSERT INTO tally_delta (run_id, kind, detail, total, people)
    VALUES ('{run}', 'accepted', 'accepted', 2, 0), ('{run}', 'deferred', 'greylisted', 2, 0),
           ('{run}', 'failed', 'no_such_user', 1, 0), ('{run}', 'suppressed', 'unsubscribed', 1, 0);
"""


@pytest.fixture
async def sent(main: asyncpg.Pool, main_tracker: asyncpg.Pool, new_id: IdSource) -> Run:
    run = await make_run(main, new_id, recipients=8, chunk_state="done")
    await main.execute(_HISTORY.format(run=run.run_id, owner=new_id(), chunk=run.chunk_id))
    async with tracker(main_tracker) as web:
        for path in (run.open_path(8), run.open_path(8), run.click_path(8, 1), run.open_path(1)):
            await web.get(path)
        await web.post(run.unsubscribe_path(8))
    await settlement.settle(main, rules.load(), 0)
    return run


async def broken(main: asyncpg.Pool, run: Run) -> set[str]:
    (check,) = await verify(main, run.run_id)
    return {fault.law for fault in check.faults}


async def test_every_recipient_of_a_run_is_accounted_for(main: asyncpg.Pool, sent: Run) -> None:
    (check,) = await verify(main)
    assert check.faults == ()
    assert check.ok
    assert check.counts == {
        "snapshot": 8,
        "accepted": 2,
        "failed": 1,
        "suppressed": 1,
        "cancelled": 0,
        "uncertain": 1,
        "waiting": 3,
    }


async def test_folding_the_counters_changes_nothing(main: asyncpg.Pool, sent: Run) -> None:
    before = await verify(main)
    assert await tallies.fold(main, 2) == 2
    assert await verify(main) == before


async def test_in_a_cancelled_run_those_who_waited_were_cancelled(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, sent: Run
) -> None:
    await main_owner.execute(
        "INSERT INTO result (run_id, seq, try, outcome, at) SELECT $1, 7, 1, 'released', now()", sent.run_id
    )
    await main_owner.execute("UPDATE chunk SET state = 'done', owner = NULL WHERE state = 'leased'")
    for state in ("cancelling", "cancelled"):
        await main_owner.execute("UPDATE run SET state = $1", state)
    (check,) = await verify(main)
    assert (check.counts["cancelled"], check.counts["waiting"]) == (3, 0)
    assert check.ok


BREACHES = [
    ("DELETE FROM recipient WHERE seq = 5", {"snapshot_is_whole", "rows_have_recipients"}),
    ("DELETE FROM recipient WHERE seq = 8", {"snapshot_is_whole", "rows_have_recipients"}),
    ("UPDATE run SET snapshot = 9", {"snapshot_is_whole"}),
    ("DELETE FROM intent WHERE seq = 2", {"results_have_intents", "waiting_are_covered"}),
    (
        "INSERT INTO intent SELECT run_id, 8, 2, 1, chunk_id, owner, at FROM intent WHERE seq = 8",
        {"nothing_follows_a_final_result", "open_intents_are_leased", "waiting_are_covered"},
    ),
    (
        "INSERT INTO intent SELECT run_id, 4, 2, epoch, chunk_id, owner, at FROM intent WHERE seq = 7",
        {"nothing_follows_a_final_result", "waiting_are_covered"},
    ),
    ("UPDATE intent SET epoch = 2 WHERE seq = 7", {"open_intents_are_leased"}),
    ("UPDATE intent SET at = app.now() + interval '1 minute' WHERE seq = 8", {"nothing_sent_after_a_stop"}),
    (
        """UPDATE run SET topic_id = account_id;
           INSERT INTO stop (account_id, member_id, scope, reason, occurred_at, known_at)
           SELECT account_id, member_id, 'topic:' || topic_id, 'unsubscribed', '2026-03-01', '2026-03-01'
           FROM run JOIN recipient USING (run_id) WHERE seq = 2""",
        {"nothing_sent_after_a_stop"},
    ),
    (
        "DELETE FROM result WHERE seq = 8",
        {"open_intents_are_leased", "waiting_are_covered", "breakdowns_add_up", "counters_equal_recounts"},
    ),
    (
        "UPDATE result SET outcome = 'accepted' WHERE seq = 1 AND try = 1",
        {"accepted_once", "nothing_follows_a_final_result", "breakdowns_add_up", "counters_equal_recounts"},
    ),
    ("UPDATE result SET outcome = 'released' WHERE seq = 4", {"waiting_are_covered"}),
    ("UPDATE result SET reason = 'spam' WHERE seq = 2", {"breakdowns_add_up", "counters_equal_recounts"}),
    ("DELETE FROM omission", {"waiting_are_covered", "counters_equal_recounts"}),
    ("INSERT INTO omission SELECT run_id, 8, reason, at FROM omission", {"settled_once", "counters_equal_recounts"}),
    ("DELETE FROM chunk WHERE state = 'ready'", {"waiting_are_covered"}),
    ("UPDATE chunk SET seqs = '{5}' WHERE state = 'ready'", {"waiting_are_covered"}),
    ("UPDATE chunk SET seqs = '{5,6,7}' WHERE state = 'ready'", {"covered_once"}),
    ("UPDATE chunk SET seqs = '{5,6,9}', last_seq = 9 WHERE state = 'ready'", {"rows_have_recipients"}),
    ("UPDATE chunk SET state = 'ready', owner = NULL WHERE state = 'leased'", {"open_intents_are_leased"}),
    ("UPDATE worker SET reaped_at = app.now()", {"leases_are_live"}),
    ("DELETE FROM worker", {"leases_are_live"}),
    ("UPDATE run SET state = 'finished'", {"finished_is_done", "leases_are_live"}),
    ("DELETE FROM stop", {"unsubscribes_stop"}),
    (
        "DELETE FROM event WHERE kind = 'click'",
        {"firsts_equal_distinct_events", "counters_equal_recounts"},
    ),
    (
        "DELETE FROM event WHERE ctid IN (SELECT ctid FROM event WHERE seq = 8 AND kind = 'open' LIMIT 1)",
        {"counters_equal_recounts"},
    ),
    (
        "INSERT INTO event SELECT run_id, 99, kind, link, occurred_at FROM event WHERE kind = 'click'",
        {"rows_have_recipients", "firsts_equal_distinct_events", "counters_equal_recounts"},
    ),
    ("UPDATE event SET batch_id = (SELECT min(batch_id::text)::uuid FROM event), place = 1", {"events_stored_once"}),
    (
        "INSERT INTO arrival SELECT run_id, 2, sha256('a mail'), app.now() FROM run",
        {"mails_counted_once"},
    ),
    ("DELETE FROM first_event WHERE kind = 'click' AND link = 1", {"firsts_equal_distinct_events"}),
    ("INSERT INTO first_event SELECT run_id, 1, 'click', -1 FROM run", {"firsts_equal_distinct_events"}),
    (
        "INSERT INTO bounce SELECT run_id, 8, 'hard', 'no_such_user', '', '', app.now() FROM run",
        {"bounces_equal_distinct_events"},
    ),
    ("UPDATE tally_delta SET total = total + 1 WHERE kind = 'open'", {"counters_equal_recounts"}),
    (
        "UPDATE breakdown_delta SET total = total + 1 WHERE kind = 'accepted' AND dimension = 'site'",
        {"breakdowns_add_up"},
    ),
    (
        """INSERT INTO breakdown_delta (run_id, dimension, value, kind, detail, total, people)
           SELECT run_id, 'trait', 1, 'accepted', '', 1, 0 FROM run""",
        {"traits_add_up"},
    ),
    ("UPDATE tally_delta SET people = 0 WHERE kind = 'unsubscribe'", {"counters_equal_recounts"}),
    ("UPDATE event SET label = 'machine' WHERE seq = 1", {"firsts_equal_distinct_events", "counters_equal_recounts"}),
    ("UPDATE ingest_batch SET settled_at = NULL", {"firsts_equal_distinct_events", "counters_equal_recounts"}),
    ("DELETE FROM tally_delta WHERE kind = 'accepted'", {"counters_equal_recounts"}),
    ("INSERT INTO tally SELECT run_id, 'failed', 'spam', -1, 1, 0 FROM run", {"counters_equal_recounts"}),
]


@pytest.mark.parametrize(("altered", "laws"), BREACHES)
async def test_an_altered_table_is_found(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, sent: Run, altered: str, laws: set[str]
) -> None:
    await main_owner.execute(altered)
    assert await broken(main, sent) == laws


def test_every_law_is_broken_by_one_of_these() -> None:
    assert set().union(*(laws for _, laws in BREACHES)) == set(LAWS)


async def test_a_fault_says_how_many_and_which(main: asyncpg.Pool, main_owner: asyncpg.Pool, sent: Run) -> None:
    await main_owner.execute("UPDATE tally_delta SET total = 5 WHERE kind = 'failed'")
    (check,) = await verify(main)
    assert not check.ok
    (fault,) = check.faults
    assert (fault.law, fault.count) == ("counters_equal_recounts", 1)
    assert fault.examples == ("failed no_such_user -1: counted 5 (0 people), found 1 (0)",)


async def test_a_run_that_resends_what_was_uncertain_keeps_its_laws(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, sent: Run
) -> None:
    await main_owner.execute("UPDATE run SET resend_uncertain = true")
    await main_owner.execute("UPDATE chunk SET seqs = '{4,7}', first_seq = 4 WHERE state = 'leased'")
    await main_owner.execute(
        "INSERT INTO intent SELECT run_id, 4, 2, epoch, chunk_id, owner, at FROM intent WHERE seq = 7"
    )
    (check,) = await verify(main)
    assert check.faults == ()
    assert (check.counts["uncertain"], check.counts["waiting"]) == (0, 4)


async def test_runs_are_checked_apart(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, sent: Run, new_id: IdSource
) -> None:
    other = await make_run(main, new_id)
    await main_owner.execute("UPDATE run SET snapshot = 4 WHERE run_id = $1", other.run_id)
    assert [(check.run_id, check.ok) for check in await verify(main)] == [(sent.run_id, True), (other.run_id, False)]
    with pytest.raises(NotFound):
        await verify(main, UUID(int=5))
