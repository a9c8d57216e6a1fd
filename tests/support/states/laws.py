"""What must be true after each step: of the tables alone, of their change, and of them beside the receiver's ledger."""

from collections import Counter
from collections.abc import Collection, Mapping
from uuid import UUID

from delivery.replies.verdict import Reason
from tests.support.states.house import Run
from tests.support.states.receiver import Key, Receiver
from tests.support.states.tables import Tables, Try

ENDED = frozenset({"paused", "finished", "cancelled"})
"""States in which nothing may be under way."""


def check_tables(now: Tables, runs: Mapping[UUID, Run]) -> None:
    """What verify does not look at, or looks at in another way."""
    covered, last = now.covered(), now.last_tries()
    for run_id, run in runs.items():
        state = now.runs[run_id]
        for seq in range(1, len(run.members) + 1):
            person = (run_id, seq)
            one = last.get(person)
            is_open = one is not None and one.outcome is None
            assert not (is_open and state in ENDED), f"{seq} is under way in a run that is {state}"
            if state in ("finished", "cancelled"):
                continue
            if _is_final(one, omitted=person in now.omitted, resent=run.resend_uncertain):
                assert covered[person] <= 1, f"{seq}, which is final, is in {covered[person]} chunks"
            else:
                assert covered[person] == 1, f"{seq}, which is not final, is in {covered[person]} chunks"


def _is_final(last: Try | None, *, omitted: bool, resent: bool) -> bool:
    outcome = last.outcome if last is not None else None
    return omitted or outcome in ("accepted", "failed") or (outcome == "uncertain" and not resent)


def classes(now: Tables, run: Run) -> dict[str, int]:
    """Put each recipient into one class, in another way than verify does."""
    last, counted = now.last_tries(), Counter[str]()
    for seq in range(1, len(run.members) + 1):
        person = (run.run_id, seq)
        outcome = last[person].outcome if person in last else None
        if outcome in ("accepted", "failed"):
            counted[outcome] += 1
        elif person in now.omitted:
            counted["suppressed"] += 1
        elif outcome == "uncertain":
            counted["uncertain"] += 1
        else:
            counted["cancelled" if now.runs[run.run_id] == "cancelled" else "waiting"] += 1
    return dict(counted)


def check_change(before: Tables, now: Tables, live: Collection[UUID]) -> None:
    """What one step may change; `live` holds owners whose lease had not run out before it."""
    assert before.omitted <= now.omitted, "an omission is gone"
    assert before.reaped <= now.reaped, "a retired worker is back"
    for run_id, state in before.runs.items():
        if state in ("finished", "cancelled"):
            assert now.runs[run_id] == state, f"a {state} run is {now.runs[run_id]}"
    for key, one in before.tries.items():
        _check_result(before, now, key, one, now.tries.get(key))
    for key in now.tries.keys() - before.tries.keys():
        _check_intent(before, now, key, live)
    for chunk_id, chunk in now.chunks.items():
        earlier = before.chunks.get(chunk_id)
        if chunk.state == "leased" and (earlier is None or earlier.epoch != chunk.epoch):
            assert earlier is not None, "a new chunk is leased already"
            assert earlier.state == "ready", f"a chunk that is {earlier.state} was claimed"
            assert earlier.due, "a chunk was claimed before its time"
            assert before.runs[chunk.run_id] == "running", f"a run that is {before.runs[chunk.run_id]} was worked on"
            assert chunk.owner in live, "a dead worker claimed a chunk"


def _check_result(before: Tables, now: Tables, key: Key, was: Try, one: Try | None) -> None:
    assert one is not None, f"the intent {key} is gone"
    if was.outcome is None or was.outcome == one.outcome:
        return
    assert (was.outcome, one.outcome) in {("uncertain", "accepted"), ("uncertain", "failed")}, (
        f"{key} was {was.outcome} and is {one.outcome}"
    )
    assert key._replace(try_=key.try_ + 1) not in before.tries, f"{key} changed after a later try"
    assert (key.run_id, key.seq) not in before.omitted, f"{key} changed after an omission"


def _check_intent(before: Tables, now: Tables, key: Key, live: Collection[UUID]) -> None:
    person, one = (key.run_id, key.seq), now.tries[key]
    assert before.runs[key.run_id] == "running", f"leave was given in a run that is {before.runs[key.run_id]}"
    assert person not in before.stopped, f"leave was given for {key} after a stop"
    assert person not in before.omitted, f"leave was given for {key} after an omission"
    assert one.owner in live, f"leave was given to a dead worker for {key}"
    chunk = before.chunks[one.chunk_id]
    assert (chunk.state, chunk.owner, chunk.epoch) == ("leased", one.owner, one.epoch), f"{key} is not its owner's"
    assert key.seq in chunk.seqs, f"{key} is not of its chunk"
    if key.try_ > 1:
        assert key._replace(try_=key.try_ - 1) in before.tries, f"{key} has no try before it"


def check_receiver(now: Tables, receiver: Receiver, runs: Mapping[UUID, Run]) -> None:
    """accepted ⊆ received ⊆ accepted ∪ uncertain ∪ what is open and not recovered; nothing twice; no word untrue."""
    missing = receiver.begun - now.tries.keys()
    assert not missing, f"a body was begun without an intent: {missing}"
    for key, one in now.tries.items():
        reply = receiver.replies.get(key)
        match one.outcome:
            case "accepted":
                assert reply == "accepted", f"{key} counts as accepted, and the receiver said {reply}"
            case "deferred" | "failed":
                bounced = one.outcome == "failed" and one.reason == Reason.NO_SUCH_USER
                assert not bounced or key[:2] in now.stopped, f"{key} found nobody, and nobody was stopped"
                assert reply != "accepted", f"{key} counts as {one.outcome}, and was received"
            case "released":
                assert key not in receiver.begun, f"{key} counts as never begun, and was"
            case None:
                assert one.owner not in now.reaped, f"{key} is open and its owner retired"
    _check_repeats(now, receiver, runs)


def _check_repeats(now: Tables, receiver: Receiver, runs: Mapping[UUID, Run]) -> None:
    came: dict[tuple[UUID, int], Key] = {}
    for body in receiver.bodies:
        person = (body.key.run_id, body.key.seq)
        earlier = came.get(person)
        if earlier is not None and not runs[body.key.run_id].resend_uncertain:
            outcome = now.tries[min(earlier, body.key)].outcome
            assert outcome == "deferred", f"{body.key} came after {earlier}, which is {outcome}"
        came[person] = body.key
    for (run_id, seq), times in receiver.deliveries().items():
        assert times == 1 or runs[run_id].resend_uncertain, f"{seq} got {times} messages"
