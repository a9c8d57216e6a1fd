"""The states of a campaign and of its runs, what may be asked for in each, and the only ways between them.

Pure. The database holds the same table in a trigger, so that a state that is impossible here can't be stored either.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """`draft` is a campaign that never had a run; the others are the states of a run, shown as its campaign's."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


RUN_STATES = frozenset(State) - {State.DRAFT}

FINAL = frozenset({State.FINISHED, State.CANCELLED})
"""A run leaves these never again."""

TRANSITIONS: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.SCHEDULED: frozenset({State.RUNNING, State.CANCELLED}),
        State.RUNNING: frozenset({State.PAUSING, State.CANCELLING, State.FINISHED}),
        State.PAUSING: frozenset({State.PAUSED, State.RUNNING, State.CANCELLING, State.FINISHED}),
        State.PAUSED: frozenset({State.RUNNING, State.CANCELLING}),
        State.CANCELLING: frozenset({State.CANCELLED}),
        State.FINISHED: frozenset(),
        State.CANCELLED: frozenset(),
    }
)
"""Where a run may go from each of its states."""


class Action(StrEnum):
    """What a caller may ask of a campaign."""

    CHANGE = "change"
    REMOVE = "remove"
    SCHEDULE = "schedule"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


_EFFECTS: Mapping[Action, Mapping[State, State]] = MappingProxyType(
    {
        Action.CHANGE: {State.DRAFT: State.DRAFT},
        Action.REMOVE: {State.DRAFT: State.DRAFT},
        Action.SCHEDULE: {State.DRAFT: State.SCHEDULED},
        # Asking again for what is under way or done is no fault: the asker may never have seen the first answer.
        Action.PAUSE: {
            State.RUNNING: State.PAUSING,
            State.PAUSING: State.PAUSING,
            State.PAUSED: State.PAUSED,
        },
        Action.RESUME: {
            State.PAUSED: State.RUNNING,
            State.PAUSING: State.RUNNING,
            State.RUNNING: State.RUNNING,
        },
        Action.CANCEL: {
            State.SCHEDULED: State.CANCELLED,
            State.RUNNING: State.CANCELLING,
            State.PAUSING: State.CANCELLING,
            State.PAUSED: State.CANCELLING,
            State.CANCELLING: State.CANCELLING,
            State.CANCELLED: State.CANCELLED,
        },
    }
)


def after(action: Action, state: State) -> State | None:
    """Return the state that `action` leads to from `state`, or None where it is not allowed."""
    return _EFFECTS[action].get(state)


def allowed(state: State) -> frozenset[Action]:
    """Return what may be asked of a campaign in `state`."""
    return frozenset(action for action in Action if state in _EFFECTS[action])
