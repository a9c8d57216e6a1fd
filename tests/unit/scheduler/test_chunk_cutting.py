from hypothesis import given
from hypothesis import strategies as st

from scheduler.chunks import cut


def sizes(chunks: list[tuple[int, int]]) -> list[int]:
    return [last - first + 1 for first, last in chunks]


def test_a_run_begins_with_small_chunks() -> None:
    assert sizes(cut(0, 3_000, None)) == [20, 50, 200, 1_000, 1_000, 730]


def test_the_next_slice_goes_on_where_the_last_one_ended() -> None:
    assert cut(270, 2_000, None) == [(271, 1_270), (1_271, 2_270)]


def test_a_rated_lane_gets_one_second_s_worth_a_chunk() -> None:
    assert sizes(cut(0, 100, 36_000)) == [10] * 10


def test_a_lane_of_less_than_one_a_second_gets_single_messages() -> None:
    assert sizes(cut(0, 3, 100)) == [1, 1, 1]


@given(st.integers(0, 5_000), st.integers(0, 20_000), st.none() | st.integers(1, 10**9))
def test_chunks_cover_the_recipients_once_and_in_order(offset: int, count: int, rate: int | None) -> None:
    chunks = cut(offset, count, None if rate is None else max(rate, 36_000))
    covered = [seq for first, last in chunks for seq in range(first, last + 1)]
    assert covered == list(range(offset + 1, offset + count + 1))
    assert all(size <= 1_000 for size in sizes(chunks))
