"""Exactly once, as far as SMTP allows: the queue's, the ledger's and recovery's real statements in any order of steps.

Each step is one of a process, of the receiver, of the scheduler, of people or of fate (tests/support/states). After
each, the tables, their change and the receiver's own ledger are held against all laws; at the end of each example
everything must come to an end. What needs two transactions at the same instant is not seen here.
"""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.postgres import Server
from tests.support.states.fate import Fate
from tests.support.states.house import open_house

# Ten examples a seed: from the eleventh on Hypothesis tries variations of those before, and sees less that is new.
SETTINGS = settings(
    max_examples=10,
    stateful_step_count=30,
    database=None,
    deadline=None,
    phases=(Phase.generate, Phase.shrink),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def test_whatever_happens_in_any_order_nobody_is_lost_and_nobody_gets_two(
    postgres_server: Server, tmp_path: Path
) -> None:
    explore(postgres_server, tmp_path, range(6))


@pytest.mark.chaos
def test_whatever_happens_in_any_order_at_length(postgres_server: Server, tmp_path: Path) -> None:
    first = random.SystemRandom().getrandbits(32)
    explore(postgres_server, tmp_path, range(first, first + 100))


def explore(server: Server, directory: Path, seeds: Iterable[int]) -> None:
    with open_house(server) as house:
        Fate.house, Fate.directory = house, directory
        for number in seeds:
            print(f"seed {number}")  # noqa: T201 - shown after a failure: what is needed to see it again
            run_state_machine_as_test(seed(number)(Fate), settings=SETTINGS)
