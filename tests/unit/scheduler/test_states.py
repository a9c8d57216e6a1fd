import pytest

from scheduler.campaigns.states import FINAL, RUN_STATES, TRANSITIONS, Action, State, after, allowed


def test_every_state_of_a_run_has_its_row_in_the_table() -> None:
    assert set(TRANSITIONS) == RUN_STATES


def test_a_final_state_is_never_left() -> None:
    assert all(not TRANSITIONS[state] for state in FINAL)


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("state", list(State))
def test_an_action_leads_only_where_a_run_may_go(action: Action, state: State) -> None:
    target = after(action, state)
    if target is None or target == state:
        return
    if state is State.DRAFT:
        assert target is State.SCHEDULED
    else:
        assert target in TRANSITIONS[state]


def test_what_may_be_asked_follows_the_state() -> None:
    assert allowed(State.DRAFT) == {Action.CHANGE, Action.REMOVE, Action.SCHEDULE}
    assert allowed(State.SCHEDULED) == {Action.CANCEL}
    assert allowed(State.RUNNING) == {Action.PAUSE, Action.RESUME, Action.CANCEL}
    assert allowed(State.FINISHED) == set()


def test_asking_again_for_what_is_under_way_changes_nothing() -> None:
    assert after(Action.PAUSE, State.PAUSING) is State.PAUSING
    assert after(Action.CANCEL, State.CANCELLED) is State.CANCELLED
