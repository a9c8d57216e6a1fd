"""Slots of one budget among workers who each decide alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.pacing.shares import Claim, Held, Share, Slots, allotted, share_out


@dataclass
class Worker:
    wants: int
    owner: UUID = field(default_factory=lambda: UUID(int=0))
    said: int = 0
    """What the others know that it wants."""
    mine: Slots = frozenset()
    open: Slots = frozenset()
    granted: Slots = frozenset()
    lazy: bool = False
    """Whether connections of slots given back close only by `close`."""

    def close(self) -> None:
        self.open &= self.granted


class Budget:
    """What the database does: rows of slots and of wants."""

    def __init__(self, slots: int, *workers: Worker) -> None:
        self.slots = slots
        self.workers = list(workers)
        for number, worker in enumerate(workers):
            worker.owner = UUID(int=number)

    def ask(self, worker: Worker, *, kept_free: int = 0) -> Share:
        others = [one for one in self.workers if one is not worker]
        taken = frozenset[int]().union(*(one.mine for one in others))
        worker.said = worker.wants
        held = Held(slots=self.slots, mine=worker.mine, open=worker.open, others=taken)
        claims = [Claim(one.owner, one.said, len(one.mine)) for one in others]
        claims.append(Claim(worker.owner, worker.wants, len(held.usable)))
        share = share_out(held, allotted(self.slots - kept_free, claims, worker.owner))
        assert not share.taken & taken
        assert not share.dropped & worker.open
        worker.mine = (worker.mine | share.taken) - share.dropped
        worker.granted = share.granted
        assert share.granted <= worker.mine <= share.granted | worker.open
        worker.open |= share.granted
        if not worker.lazy:
            worker.close()
        return share

    def settle(self, rounds: int = 8, random: Random | None = None) -> list[int]:
        for _ in range(rounds):
            order = list(self.workers)
            if random is not None:
                random.shuffle(order)
            for worker in order:
                self.ask(worker)
        return [len(worker.granted) for worker in self.workers]

    @property
    def held(self) -> int:
        return sum(len(worker.mine) for worker in self.workers)


def is_fair(slots: int, wants: Sequence[int], parts: Sequence[int]) -> bool:
    """All is used that is wanted, and nobody has two more than another that wants more than it has."""
    if sum(parts) != min(slots, sum(wants)) or any(part > want for part, want in zip(parts, wants, strict=True)):
        return False
    hungry = [part for part, want in zip(parts, wants, strict=True) if part < want]
    return not hungry or max(parts) <= min(hungry) + 1


@pytest.mark.parametrize(
    ("slots", "wants", "fair"),
    [
        (10, [10, 10], [5, 5]),
        (10, [10, 10, 10], [3, 3, 4]),
        (10, [20, 20, 20, 20], [2, 2, 3, 3]),
        (10, [10, 2, 0], [0, 2, 8]),
        (10, [1, 4, 20, 20], [1, 3, 3, 3]),
        (1, [10], [1]),
        (2, [10, 10, 10, 10], [0, 0, 1, 1]),
        (0, [10, 10], [0, 0]),
    ],
)
def test_slots_are_divided_by_what_is_wanted(slots: int, wants: list[int], fair: list[int]) -> None:
    assert sorted(Budget(slots, *map(Worker, wants)).settle()) == fair


@given(st.integers(0, 30), st.lists(st.integers(0, 15), max_size=8))
def test_every_division_is_fair_and_whole(slots: int, wants: list[int]) -> None:
    claims = [Claim(UUID(int=number), wanted, 0) for number, wanted in enumerate(wants)]
    assert is_fair(slots, wants, [allotted(slots, claims, claim.owner) for claim in claims])


def test_who_comes_later_gets_its_part_of_what_others_have() -> None:
    late = Worker(0)
    budget = Budget(10, Worker(10), late)
    assert budget.settle() == [10, 0]
    late.wants = 10
    assert budget.settle(3) == [5, 5]
    late.wants = 2
    assert budget.settle(3) == [8, 2]


def test_a_division_that_was_reached_stands() -> None:
    budget = Budget(11, *(Worker(10) for _ in range(3)))
    random = Random(1)
    budget.settle(random=random)
    before = [worker.granted for worker in budget.workers]
    budget.settle(5, random)
    assert [worker.granted for worker in budget.workers] == before


@given(
    st.integers(1, 12),
    st.lists(st.integers(0, 15), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 15), st.integers(0, 12), st.booleans()), max_size=40),
    st.randoms(use_true_random=False),
)
def test_never_more_than_the_slots_are_held_and_in_the_end_all_have_their_part(
    slots: int, wants: list[int], changes: list[tuple[int, int, int, bool]], random: Random
) -> None:
    budget = Budget(slots, *(Worker(wanted, lazy=random.random() < 0.5) for wanted in wants))
    most = slots
    for index, wanted, new_slots, close in changes:
        worker = budget.workers[index % len(wants)]
        worker.wants = wanted
        if close:
            worker.close()
        before = budget.held
        # After a shrink those who have not heard of it hold more, but nobody takes any.
        budget.slots = new_slots or budget.slots
        most = max(budget.slots, min(most, before))
        budget.ask(worker)
        assert budget.held <= most
        assert all(one.open <= one.mine for one in budget.workers)
    for worker in budget.workers:
        worker.lazy = False
        worker.close()
    parts = budget.settle(8, random)
    assert is_fair(budget.slots, [worker.wants for worker in budget.workers], parts)
    assert budget.held == sum(parts)


def test_a_shrink_takes_slots_away_and_nothing_is_taken_before_all_have_heard_of_it() -> None:
    one, other, third = Worker(10), Worker(10), Worker(0)
    budget = Budget(10, one, other, third)
    budget.settle()
    budget.slots = 4
    third.wants = 10
    for _ in range(2):
        budget.ask(one)
    assert one.mine <= {0, 1, 2, 3}
    assert len(one.mine) == 2
    # Two numbers are free, and five connections more than four slots still stand elsewhere.
    assert not budget.ask(third).granted
    assert sorted(budget.settle()) == [1, 1, 2]


def test_a_slot_whose_connection_stands_is_nobody_else_s() -> None:
    one, other = Worker(10, lazy=True), Worker(0)
    budget = Budget(4, one, other)
    budget.settle(1)
    other.wants = 4
    budget.ask(other)
    budget.ask(one)
    assert (len(one.granted), len(one.mine)) == (2, 4)
    assert not budget.ask(other).granted
    one.close()
    budget.ask(one)
    assert len(budget.ask(other).granted) == 2


def test_a_slot_that_is_closed_by_now_can_be_had_again_at_once() -> None:
    worker = Worker(1, lazy=True)
    budget = Budget(1, worker)
    budget.settle(1)
    worker.wants = 0
    assert not budget.ask(worker).granted
    worker.close()
    worker.wants = 1
    assert budget.ask(worker) == Share(granted=frozenset({0}))


def test_connections_that_stand_are_given_back_last() -> None:
    worker = Worker(2, mine=frozenset({0, 1, 2}), open=frozenset({1, 2}))
    assert Budget(3, worker).ask(worker).granted == {1, 2}


def test_a_slot_that_is_kept_free_for_others_is_given_back_by_one_worker_alone() -> None:
    workers = [Worker(10) for _ in range(3)]
    budget = Budget(9, *workers)
    assert budget.settle() == [3, 3, 3]
    for _ in range(4):
        for worker in workers:
            budget.ask(worker, kept_free=1)
        assert sum(len(worker.granted) for worker in workers) == 8
    assert budget.held == 8
    assert budget.settle() == [3, 3, 3]
