from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from core.errors import InvalidInput
from members.errors import StatusForbids
from members.status import LONGEST_PAUSE, TRANSITIONS, Status, after_change, present

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


def changed(status: Status, **change: Any) -> Status:
    nothing = {"consents": False, "withdraws": False, "pause_until": None, "resumes": False, "moves": False}
    return after_change(status, **{**nothing, "stands": False, "now": NOW, **change})


def test_every_status_is_in_the_machine_and_can_be_left() -> None:
    assert set(TRANSITIONS) == set(get_args(Status))
    assert all(targets and status not in targets for status, targets in TRANSITIONS.items())


def test_a_pause_that_is_over_is_none() -> None:
    assert present("paused", LATER, NOW) == "paused"
    assert present("paused", LATER, LATER) == "active"
    assert present("pending", None, NOW) == "pending"


@pytest.mark.parametrize("status", get_args(Status))
def test_whoever_consents_is_active_and_whoever_withdraws_is_not(status: Status) -> None:
    assert changed(status, consents=True) == "active"
    assert changed(status, withdraws=True) == "unsubscribed"
    assert changed(status) == status


@pytest.mark.parametrize("status", ["pending", "unsubscribed", "bounced"])
def test_only_who_gets_mail_can_be_paused(status: Status) -> None:
    with pytest.raises(StatusForbids, match=status):
        changed(status, pause_until=LATER)


def test_a_pause_is_begun_moved_and_ended() -> None:
    assert changed("active", pause_until=LATER) == "paused"
    assert changed("paused", pause_until=LATER + timedelta(days=1)) == "paused"
    assert changed("paused", resumes=True) == "active"
    assert changed("unsubscribed", resumes=True) == "unsubscribed"


@pytest.mark.parametrize(
    "until", [NOW, NOW - timedelta(days=1), NOW + LONGEST_PAUSE + timedelta(days=1), LATER.replace(tzinfo=None)]
)
def test_a_pause_ends_in_the_future_but_not_for_ever(until: datetime) -> None:
    with pytest.raises(InvalidInput) as caught:
        changed("active", pause_until=until)
    assert caught.value.faults[0].pointer == "/paused_until"


def test_a_bounce_says_nothing_of_another_address() -> None:
    assert changed("bounced", moves=True, stands=True) == "active"
    assert changed("bounced", moves=True) == "pending"
    assert changed("unsubscribed", moves=True, stands=True) == "unsubscribed"
