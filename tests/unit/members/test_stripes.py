"""The order in which a range of members is written leaves room on each page for what comes next."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.resealing.stripes import SHARE, STRIPES, batches

SIZE = 40


@given(number=st.integers(0, SIZE * SHARE), size=st.integers(1, SIZE), turn=st.integers(1, 20))
def test_every_member_is_in_one_batch_and_each_batch_keeps_their_order(number: int, size: int, turn: int) -> None:
    made = list(batches(range(number), size, turn))
    assert sorted(member for batch in made for member in batch) == list(range(number))
    assert all(list(batch) == sorted(batch) for batch in made)
    assert len(made) <= SHARE


@pytest.mark.parametrize("turn", range(STRIPES))
def test_neighbours_are_never_written_together_nor_in_batches_that_follow_each_other(turn: int) -> None:
    made = [set(batch) for batch in batches(range(SIZE * SHARE), SIZE, turn)]
    assert [len(batch) for batch in made] == [SIZE] * SHARE
    for page in range(0, SIZE * SHARE, STRIPES):
        touched = [number for number, batch in enumerate(made) if batch & set(range(page, page + STRIPES))]
        assert len(touched) == STRIPES
        assert all(later - earlier > 1 for earlier, later in pairwise(touched))


def test_what_fits_in_one_batch_is_written_at_once() -> None:
    assert list(batches(range(SIZE), SIZE, 1)) == [range(SIZE)]


@pytest.mark.parametrize("turn", range(STRIPES))
@pytest.mark.parametrize("later", range(1, STRIPES))
def test_those_that_moved_together_are_written_apart_the_next_time(turn: int, later: int) -> None:
    moved = next(iter(batches(range(SIZE * SHARE), SIZE, turn)))
    assert len(moved) == SIZE
    again = [len({*moved} & {*batch}) for batch in batches(range(SIZE * SHARE), SIZE, turn + later)]
    assert [number for number in again if number] == [SIZE // STRIPES] * STRIPES
