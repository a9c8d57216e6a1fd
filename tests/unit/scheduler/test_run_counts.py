from scheduler.campaigns.states import State
from scheduler.runs import Counts, counts


def counted(state: State, *, uncertain: int = 1, resend_uncertain: bool = False) -> Counts:
    return counts(
        state,
        snapshot=100,
        accepted=60,
        failed={"expired": 2, "no_such_user": 3},
        suppressed={"unsubscribed": 4},
        uncertain=uncertain,
        resend_uncertain=resend_uncertain,
    )


def total(c: Counts) -> int:
    return c.accepted + sum(c.failed.values()) + sum(c.suppressed.values()) + c.cancelled + c.uncertain + c.waiting


def test_the_counts_add_up_to_the_snapshot_in_every_state() -> None:
    assert all(total(counted(state)) == 100 for state in State)


def test_what_is_left_of_a_cancelled_run_was_cancelled() -> None:
    assert (counted(State.CANCELLED).cancelled, counted(State.CANCELLED).waiting) == (30, 0)
    assert (counted(State.CANCELLING).cancelled, counted(State.CANCELLING).waiting) == (0, 30)


def test_uncertain_ones_that_are_sent_again_wait_until_the_run_is_over() -> None:
    assert counted(State.RUNNING, resend_uncertain=True).uncertain == 0
    assert counted(State.RUNNING, resend_uncertain=True).waiting == 31
    assert counted(State.FINISHED, resend_uncertain=True).uncertain == 1
