"""What a dead worker leaves behind, and what whoever finds it makes of it."""

from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from api.members.stops import StopStore
from core.clock import SystemClock
from core.ids import IdSource
from delivery import recovery
from delivery.journal import Journal
from delivery.lease import SQL as LEASES
from delivery.ledger import Ledger, Outcome, record
from delivery.queue import Claim, Queue, Successor
from delivery.replies.verdict import ACCEPTED, Reason, Verdict
from delivery.slices import Message
from tests.support.delivery import Arranged, a_worker, arrange_run, outcomes
from tests.support.postgres import shift_clock

BOOT = "0" * 36


@pytest.fixture
async def run(main: asyncpg.Pool, new_id: IdSource) -> Arranged:
    return await arrange_run(main, new_id, [f"m{n}@example.jp" for n in range(5)])


@pytest.fixture
async def owner(main: asyncpg.Pool, new_id: IdSource) -> UUID:
    return await a_worker(main, new_id)


def message(run: Arranged, claim: Claim, seq: int, tries: int = 1) -> Message:
    members = list(run.members.held)
    return Message(
        None,  # type: ignore[arg-type]  # the ledger reads ids alone
        None,  # type: ignore[arg-type]
        *(tries, 0, 0.0, 0.0, run.run_id, seq, members[seq - 1], claim.chunk_id, claim.epoch),
        None,  # type: ignore[arg-type]
    )


async def claimed_and_intended(main: asyncpg.Pool, owner: UUID, run: Arranged) -> Claim:
    [claim] = await Queue(main, owner, "bulk").claim(mixed=True)
    refused = await Ledger(main, owner, SystemClock()).intend([message(run, claim, seq) for seq in range(1, 6)])
    assert refused == {}
    return claim


async def test_a_journal_turns_each_open_intent_into_what_it_was(
    main: asyncpg.Pool, run: Arranged, owner: UUID, tmp_path: Path
) -> None:
    claim = await claimed_and_intended(main, owner, run)
    journal = Journal.create(tmp_path, owner=owner, boot_id=BOOT)
    for seq in (1, 2, 3):
        journal.start(run.run_id, seq, 1)
    journal.outcome(run.run_id, 1, 1, ACCEPTED, 250)
    journal.outcome(run.run_id, 2, 1, Verdict("failed", Reason.NO_SUCH_USER, suppress=True), 550)
    journal.close(remove=False)

    assert await recovery.replay(main, tmp_path, BOOT) == 1

    assert await outcomes(main, run.run_id) == {"accepted": 1, "failed": 1, "uncertain": 1, "released": 2}
    assert await main.fetchval("SELECT count(*) FROM stop WHERE reason = 'bounced'") == 1
    assert await main.fetchval("SELECT state FROM chunk WHERE chunk_id = $1", claim.chunk_id) == "ready"
    assert list(tmp_path.iterdir()) == []


async def test_after_a_power_cut_an_absent_start_proves_nothing(
    main: asyncpg.Pool, run: Arranged, owner: UUID, tmp_path: Path
) -> None:
    await claimed_and_intended(main, owner, run)
    Journal.create(tmp_path, owner=owner, boot_id=BOOT).close(remove=False)
    await recovery.replay(main, tmp_path, "1" * 36)
    assert await outcomes(main, run.run_id) == {"uncertain": 5}


async def test_a_journal_whose_process_lives_is_left_alone(
    main: asyncpg.Pool, run: Arranged, owner: UUID, tmp_path: Path
) -> None:
    await claimed_and_intended(main, owner, run)
    journal = Journal.create(tmp_path, owner=owner, boot_id=BOOT)
    assert await recovery.replay(main, tmp_path, BOOT) == 0
    assert await outcomes(main, run.run_id) == {}
    journal.close(remove=True)


async def test_without_a_journal_all_that_is_open_is_uncertain_once_the_lease_and_the_last_wait_are_over(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, run: Arranged, owner: UUID
) -> None:
    await claimed_and_intended(main, owner, run)
    assert await recovery.reap(main, 60) == 0
    await shift_clock(main_owner, 100)
    assert await recovery.reap(main, 60) == 0
    await shift_clock(main_owner, 136)
    assert await recovery.reap(main, 60) == 1
    assert await outcomes(main, run.run_id) == {"uncertain": 5}
    assert await recovery.reap(main, 60) == 0


async def test_a_retired_worker_can_claim_and_intend_nothing_more(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, run: Arranged, owner: UUID, new_id: IdSource
) -> None:
    claim = await claimed_and_intended(main, owner, run)
    await shift_clock(main_owner, 136)
    await recovery.reap(main, 60)
    assert await Queue(main, owner, "bulk").claim(mixed=True) == []
    refused = await Ledger(main, owner, SystemClock()).intend([message(run, claim, 1, tries=2)])
    assert refused == {0: "lost"}
    assert await Queue(main, owner, "bulk").end(claim, [], 0) is False


async def test_a_late_true_result_replaces_uncertain(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, run: Arranged, owner: UUID
) -> None:
    await claimed_and_intended(main, owner, run)
    await shift_clock(main_owner, 136)
    await recovery.reap(main, 60)
    late = [Outcome(run.run_id, 1, 1, ACCEPTED, 250, None, 0.0)]
    assert await record(main, owner, late, now=0.0) == 1
    assert await record(main, owner, late, now=0.0) == 0
    assert await outcomes(main, run.run_id) == {"accepted": 1, "uncertain": 4}
    assert await main.fetchval("SELECT sum(total) FROM tally_delta WHERE kind = 'accepted'") == 1


async def test_a_late_result_does_not_replace_uncertain_once_a_later_try_exists(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, run: Arranged, owner: UUID, new_id: IdSource
) -> None:
    await claimed_and_intended(main, owner, run)
    await shift_clock(main_owner, 136)
    await recovery.reap(main, 60)
    other = await a_worker(main, new_id)
    [claim] = await Queue(main, other, "bulk").claim(mixed=True)
    assert claim.epoch == 2
    assert await Ledger(main, other, SystemClock()).intend([message(run, claim, 1, tries=2)]) == {}
    assert await record(main, owner, [Outcome(run.run_id, 1, 1, ACCEPTED, 250, None, 0.0)], now=0.0) == 0


async def test_a_late_deferral_leaves_uncertain_as_it_is_for_nobody_would_come_back_to_it(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, run: Arranged, owner: UUID
) -> None:
    await claimed_and_intended(main, owner, run)
    await shift_clock(main_owner, 136)
    await recovery.reap(main, 60)
    late = [Outcome(run.run_id, 1, 1, Verdict("deferred", Reason.THROTTLED), 451, None, 0.0)]
    assert await record(main, owner, late, now=0.0) == 0
    assert await outcomes(main, run.run_id) == {"uncertain": 5}


async def test_a_result_without_an_intent_of_its_owner_is_not_taken(
    main: asyncpg.Pool, run: Arranged, owner: UUID, new_id: IdSource
) -> None:
    await claimed_and_intended(main, owner, run)
    assert await record(main, new_id(), [Outcome(run.run_id, 1, 1, ACCEPTED, 250, None, 0.0)], now=0.0) == 0


async def test_an_intent_may_be_asked_again_after_a_lost_answer(main: asyncpg.Pool, run: Arranged, owner: UUID) -> None:
    claim = await claimed_and_intended(main, owner, run)
    again = [message(run, claim, seq) for seq in range(1, 6)]
    assert await Ledger(main, owner, SystemClock()).ask(again, again=True) == {}
    assert await main.fetchval("SELECT count(*) FROM intent") == 5


async def test_what_was_granted_stays_so_though_a_pause_and_a_stop_came_before_it_was_asked_again(
    main: asyncpg.Pool, run: Arranged, owner: UUID
) -> None:
    claim = await claimed_and_intended(main, owner, run)
    await main.execute("UPDATE run SET state = 'pausing' WHERE run_id = $1", run.run_id)
    await StopStore(main).stop(run.account_id, [next(iter(run.members.held))], "unsubscribed")
    again = [message(run, claim, seq) for seq in range(1, 6)]
    assert await Ledger(main, owner, SystemClock()).ask(again, again=True) == {}
    assert await main.fetchval("SELECT count(*) FROM omission") == 0


async def test_what_was_granted_stays_so_though_the_lease_ran_out_before_it_was_asked_again(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, run: Arranged, owner: UUID
) -> None:
    [claim] = await Queue(main, owner, "bulk").claim(mixed=True)
    ledger = Ledger(main, owner, SystemClock())
    granted, others = ([message(run, claim, seq) for seq in seqs] for seqs in ((1, 2), (3, 4)))
    assert await ledger.ask(granted, again=False) == {}
    await shift_clock(main_owner, 60)
    # It sends nothing any more, but it knows of the open intents, and gives them back.
    assert await ledger.ask([*granted, *others], again=True) == {2: "lost", 3: "lost"}
    assert await main.fetchval("SELECT count(*) FROM intent") == 2
    await shift_clock(main_owner, 80)
    await recovery.reap(main, 60)
    assert await ledger.ask(granted, again=True) == {0: "lost", 1: "lost"}


async def test_a_process_that_ends_with_intents_open_leaves_its_chunks_to_recovery(
    main: asyncpg.Pool, run: Arranged, owner: UUID
) -> None:
    await claimed_and_intended(main, owner, run)
    assert await main.fetchval(LEASES["close"], owner) == 0
    assert await main.fetchval("SELECT count(*) FROM chunk WHERE state = 'leased'") == 1
    assert await outcomes(main, run.run_id) == {}


async def test_a_chunk_whose_lane_has_nothing_claimable_does_not_starve_the_others(
    main: asyncpg.Pool, run: Arranged, owner: UUID, new_id: IdSource
) -> None:
    """The lane of least virtual time has all its chunks leased: the other lane's are found all the same."""
    other = await arrange_run(main, new_id, ["x@example.jp"])
    await main.execute("UPDATE lane SET vtime = 1000 WHERE run_id = $1", other.run_id)
    queue = Queue(main, owner, "bulk")
    [first], [second] = await queue.claim(mixed=True), await queue.claim(mixed=True)
    assert {first.run_id, second.run_id} == {run.run_id, other.run_id}
    assert await queue.claim(mixed=True) == []


async def test_ending_a_chunk_may_be_repeated_and_hands_on_once(main: asyncpg.Pool, run: Arranged, owner: UUID) -> None:
    queue = Queue(main, owner, "bulk")
    [claim] = await queue.claim(mixed=True)
    for _ in range(2):
        assert await queue.end(claim, [Successor((2, 4), 0.0), Successor((5,), 60.0)], 1)
    rows = await main.fetch("SELECT first_seq, last_seq, seqs FROM chunk WHERE state = 'ready' ORDER BY chunk_id")
    assert [tuple(row) for row in rows] == [(2, 4, [2, 4]), (5, 5, [5])]
    [again] = await queue.claim(mixed=True)
    assert [one.seq for one in (await queue.recipients([again]))[again.chunk_id]] == [2, 4]
    assert await queue.claim(mixed=True) == []
