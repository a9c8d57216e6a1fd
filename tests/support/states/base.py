"""What all rules have in common: the world they act on, and ways to choose in it."""

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from core.clock import FixedClock
from tests.support.states.ending import FINAL, drain
from tests.support.states.house import House, Run
from tests.support.states.process import Process
from tests.support.states.world import World

T = TypeVar("T")

Moves: TypeAlias = Iterator[tuple[str, Callable[[Any, st.DataObject], object], Sequence[Any]]]
"""What may happen now: its name, what it does, and to what it can be done. One of them is drawn, then one of those."""

nth = st.integers(0, 11)
"""Chooses among what there is, wrapping around."""
mostly = st.sampled_from([True, True, True, False])


def pick(choices: Sequence[T], number: int) -> T:
    return choices[number % len(choices)]


class Deliveries(RuleBasedStateMachine):
    """`house` and `directory` are set by the test that runs it."""

    house: House
    directory: Path

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.house, self.directory, FixedClock(datetime(2026, 4, 1, tzinfo=UTC)))
        self.killed = False

    @initialize(size=st.integers(1, 6), chunk=st.integers(1, 4), resend_uncertain=st.booleans(), killed=st.booleans())
    def arrange(self, size: int, chunk: int, resend_uncertain: bool, killed: bool) -> None:
        """One run under way and one process; what still runs at the end is `killed`, or stopped in good order."""
        self.world.add_run(size=size, first=0, chunk=chunk, resend_uncertain=resend_uncertain, state="running")
        self.world.start(self.world.machines[0])
        self.killed = killed

    def teardown(self) -> None:
        try:
            # After a fault there is nothing to be proved any more.
            if self.world.runs and sys.exc_info()[0] is None:
                drain(self.world, killed=self.killed)
        finally:
            for process in self.processes:
                process.vanish()

    @invariant()
    def the_laws_hold(self) -> None:
        self.world.look()

    @property
    def processes(self) -> list[Process]:
        return self.world.processes

    def open_runs(self) -> list[Run]:
        return [run for run in self.world.runs.values() if self.world.last.runs[run.run_id] not in FINAL]

    def each(self, what: Callable[[Process], Sequence[T]]) -> list[tuple[Process, T]]:
        return [(process, one) for process in self.processes for one in what(process)]

    def make_one_of(self, moves: Moves, data: st.DataObject) -> None:
        possible = {name: (move, choices) for name, move, choices in moves if choices}
        move, choices = possible[data.draw(st.sampled_from(list(possible)), label="what")]
        move(choices[data.draw(st.integers(0, len(choices) - 1), label="which")], data)
