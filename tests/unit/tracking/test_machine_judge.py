from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from tracking.machines.judge import HIDDEN, Followed, Verdict, judge
from tracking.machines.rules import Behaviour

AT = datetime(2026, 11, 26, 9, tzinfo=UTC)
PERSON: Verdict = ("human", None)
BEHAVIOUR = Behaviour(honeypot=10, every_link=10, least_links=3, soon_after_delivery=2)


def judged(
    *followed: tuple[int, float],
    by_agent: Verdict = PERSON,
    delivered: float | None = -3_600,
    links: int = 3,
    at: float = 0,
) -> str | None:
    """The rule that decides on an event at second `at`, given (link, second) of what was followed."""
    label, rule = judge(
        by_agent,
        AT + timedelta(seconds=at),
        delivered_at=None if delivered is None else AT + timedelta(seconds=delivered),
        followed=[Followed(link, AT + timedelta(seconds=second)) for link, second in followed],
        links=links,
        behaviour=BEHAVIOUR,
    )
    assert (label == "machine") == (rule is not None and rule != "gmail_image_proxy")
    return rule


@pytest.mark.parametrize(
    ("delivered", "rule"),
    [(-1.9, "soon_after_delivery"), (-2.0, None), (1.5, "soon_after_delivery"), (30, None), (None, None)],
)
def test_what_comes_within_seconds_of_the_delivery_is_a_machines(delivered: float | None, rule: str | None) -> None:
    assert judged(delivered=delivered) == rule


@pytest.mark.parametrize(("second", "rule"), [(-10, "honeypot"), (10, "honeypot"), (-10.1, None), (10.1, None)])
def test_what_is_asked_for_around_a_visit_to_the_hidden_link_is_a_machines(second: float, rule: str | None) -> None:
    assert judged((HIDDEN, second)) == rule


@pytest.mark.parametrize(
    ("followed", "links", "rule"),
    [
        ([(0, 0), (1, 1), (2, 2)], 3, "every_link"),
        ([(0, -9), (1, -5), (2, 1)], 3, "every_link"),
        ([(0, 0), (1, 1), (2, 11)], 3, None),
        ([(0, 0), (1, 1), (1, 2)], 3, None),
        ([(0, 0), (1, 1), (2, 2)], 4, None),
        ([(0, 0), (1, 1)], 2, None),
        ([(0, 4), (1, 5), (2, 6)], 3, None),
        ([(0, 0), (0, 9), (1, 9.5), (2, 12)], 3, None),
    ],
)
def test_every_link_of_a_mail_within_moments_is_a_machines_doing(
    followed: Iterable[tuple[int, float]], links: int, rule: str | None
) -> None:
    assert judged(*followed, links=links) == rule


def test_a_person_who_comes_after_the_scanner_stays_a_person() -> None:
    burst = [(0, 0.0), (1, 0.2), (2, 0.4), (HIDDEN, 0.5)]
    assert judged(*burst) == "honeypot"
    assert judged(*burst[:3]) == "every_link"
    assert judged(*burst, (1, 60), at=60) is None


def test_the_agent_decides_first_where_it_is_a_machines_and_last_where_it_is_a_persons() -> None:
    assert judged((HIDDEN, 0), by_agent=("machine", "scanner")) == "scanner"
    assert judged((HIDDEN, 0), by_agent=("human", "gmail_image_proxy")) == "honeypot"
    assert judged(by_agent=("human", "gmail_image_proxy")) == "gmail_image_proxy"
