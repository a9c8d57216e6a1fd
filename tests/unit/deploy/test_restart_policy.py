from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from deploy.supervisor.policy import CAP, FIRST, HEALTHY_AFTER, Backoff, stages


@dataclass
class Part:
    name: str
    stage: int


def test_a_first_death_is_answered_at_once() -> None:
    assert Backoff().after_death(lived=0.1) == FIRST == 0.2


def test_deaths_in_a_row_double_the_delay_up_to_the_cap() -> None:
    backoff = Backoff()
    assert [backoff.after_death(lived=1) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_time_of_health_forgives_earlier_deaths() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.after_death(lived=1)
    assert backoff.after_death(lived=HEALTHY_AFTER) == FIRST


@given(st.lists(st.floats(min_value=0, max_value=1e6), max_size=200))
def test_no_delay_leaves_the_bounds(lives: list[float]) -> None:
    backoff = Backoff()
    assert all(FIRST <= backoff.after_death(lived) <= CAP for lived in lives)


def test_children_of_one_stage_stand_together_and_stages_in_order() -> None:
    parts = [Part("api", 2), Part("postgres", 0), Part("worker", 2), Part("mailbox", 1)]
    assert [[part.name for part in stage] for stage in stages(parts)] == [["postgres"], ["mailbox"], ["api", "worker"]]
