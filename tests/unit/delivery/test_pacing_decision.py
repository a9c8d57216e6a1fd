"""What an ask comes to, from the rows alone."""

from dataclasses import dataclass, replace
from uuid import UUID

import pytest

from delivery.pacing import pace
from delivery.pacing.decision import UNREACHABLE, Decision, Seen, decide
from delivery.pacing.feedback import Window
from delivery.pacing.pace import Pace, Restriction
from delivery.pacing.shares import Claim
from delivery.pacing.wants import Want

NOW = 1_795_000_000.0
ME, PEER = UUID(int=1), UUID(int=2)


@dataclass(frozen=True)
class Limits:
    connections: int = 10
    start: int = 5
    rate: float | None = None


LIMITS = Limits()


def want(connections: int = 10, limits: Limits = LIMITS, **others: object) -> Want:
    return Want(source_id=1, site_id=2, connections=connections, limits=limits, **others)  # type: ignore[arg-type]


def row(allowed: float = 5.0, slots: int | None = None, **others: object) -> Pace:
    made = Pace(
        slots=int(allowed) if slots is None else slots,
        rate=None,
        phase_at=NOW - 100,
        window=Window(allowed),
        connections=10,
        limit_rate=None,
        limits_at=NOW,
    )
    return replace(made, **others)  # type: ignore[arg-type]


def seen(found: Pace | None = None, restriction: Restriction | None = None, **others: object) -> Seen:
    return Seen(now=NOW, alive=True, pace=found, restriction=restriction or Restriction(), **others)  # type: ignore[arg-type]


def decided(asked: Want, shown: Seen, pool: str = "bulk") -> Decision:
    return decide(asked, shown, owner=ME, pool=pool)


def slots_of(decision: Decision) -> set[int]:
    return {slot.number for slot in decision.grant.slots}


SUSPENDED = Restriction(connections=0, suspended_for=90.0, reason="rule")


def test_the_first_want_begins_with_start_slots() -> None:
    decision = decided(want(), seen())
    assert slots_of(decision) == {0, 1, 2, 3, 4}
    assert (decision.grant.of, decision.grant.rate, decision.grant.suspended) == (5, None, False)


def test_a_relay_has_all_its_connections_at_once_and_learns_nothing() -> None:
    decision = decided(want(adaptive=False, failures=50), seen())
    assert decision.grant.of == 10
    assert not decision.grant.suspended


def test_nothing_is_written_while_nothing_changes() -> None:
    held = frozenset({0, 1, 2, 3, 4})
    full = row(10.0, slots=5, connections=5, window=Window(5.0))
    assert not decided(want(limits=Limits(5)), seen(full, mine=held, wanted=5)).writes
    told = want(limits=Limits(5), successes=100, in_use=True)
    assert not decided(told, seen(full, mine=held, wanted=5)).writes


def test_who_wants_nothing_makes_no_row_and_gives_everything_back() -> None:
    assert not decided(want(0), seen()).writes
    assert decided(want(0), seen(row(), mine=frozenset({1, 2}), wanted=5)).share.dropped == {1, 2}


def test_a_reaped_owner_gets_nothing() -> None:
    assert decided(want(), replace(seen(row()), alive=False)).grant.slots == ()


@pytest.mark.parametrize(
    ("limits", "restriction", "slots", "rate"),
    [
        (Limits(), Restriction(connections=2), 2, None),
        (Limits(3), Restriction(), 3, None),
        (Limits(rate=1.0), Restriction(), 1, 1.0),
        (Limits(rate=2.5), Restriction(), 3, 2.5),
        (Limits(rate=2.5), Restriction(rate=1 / 60), 1, 1 / 60),
        (Limits(rate=0.5), Restriction(rate=20.0), 1, 0.5),
        (Limits(rate=100.0), Restriction(), 5, 100.0),
    ],
)
def test_the_least_of_all_limits_holds(
    limits: Limits, restriction: Restriction, slots: int, rate: float | None
) -> None:
    grant = decided(want(limits=limits), seen(None, restriction)).grant
    assert (grant.of, grant.rate) == (slots, rate)


def test_a_change_of_slots_or_rate_starts_a_grid_an_interval_from_now() -> None:
    rated = row(5.0, rate=10.0, limit_rate=10.0)
    assert decided(want(limits=Limits(rate=10.0)), seen(rated)).grant.phase == NOW - 100
    shrunk = decided(want(limits=Limits(rate=10.0)), seen(rated, Restriction(connections=2)))
    assert shrunk.grant.phase == pytest.approx(NOW + 0.1)
    assert all(slot.wait >= 0.0999 for slot in shrunk.grant.slots)
    slowed = decided(want(limits=Limits(rate=10.0)), seen(rated, Restriction(rate=0.5)))
    assert slowed.grant.slots[0].wait == pytest.approx(2.0)


def test_a_suspension_leaves_no_slot_and_says_why_and_for_how_long() -> None:
    decision = decided(want(), seen(row(), SUSPENDED, mine=frozenset({0, 1}), wanted=5))
    assert decision.share.dropped == {0, 1}
    assert (decision.grant.suspended, decision.grant.suspended_for, decision.grant.reason) == (True, 90.0, "rule")


def test_after_a_suspension_mail_returns_with_start_connections() -> None:
    during = decided(want(), seen(row(10.0), SUSPENDED)).pace
    assert during is not None
    assert during.slots == 0
    assert decided(want(), seen(during)).grant.of == 5
    assert decided(want(), seen(row(10.0, slots=0))).grant.of == 5


def test_after_a_slowdown_mail_returns_with_start_connections() -> None:
    during = decided(want(), seen(row(10.0), Restriction(connections=1))).pace
    assert during is not None
    assert decided(want(), seen(during)).grant.of == 5


def test_a_full_cohort_of_failures_suspends_for_a_minute_and_twice_as_long_the_next_time() -> None:
    assert decided(want(failures=4), seen(row())).buried_for is None
    first = decided(want(failures=5), seen(row(), mine=frozenset({0})))
    assert (first.buried_for, first.grant.suspended_for, first.grant.reason) == (60.0, 60.0, UNREACHABLE)
    assert first.share.dropped == {0}
    assert first.pace is not None
    again = replace(first.pace, slots=5)
    assert decided(want(failures=5), seen(again)).buried_for == 120.0
    assert decide(want(failures=5), seen(row()), owner=ME, pool="bulk", spread=0.5).buried_for == pytest.approx(63.0)


def test_failures_that_come_in_during_a_suspension_count_for_nothing() -> None:
    suspended = row(5.0, slots=0)
    decision = decided(want(failures=50), seen(suspended, SUSPENDED))
    assert decision.buried_for is None
    assert decision.pace is None


def test_a_success_ends_the_series_of_deaths() -> None:
    found = row(5.0, window=Window(5.0, failures=0.8, dead_times=3))
    learnt = decided(want(successes=1), seen(found)).pace
    assert learnt is not None
    assert (learnt.window.failures, learnt.window.dead_times) == (0.0, 0)


# --- workers that differ ---


def test_of_two_rule_files_the_stricter_holds_and_nothing_goes_to_and_fro() -> None:
    strict, loose = Limits(5, rate=4.0), Limits(10, rate=20.0)
    one = decided(want(limits=loose), seen()).pace
    assert one is not None
    two = decided(want(limits=strict), seen(one)).pace
    assert two is not None
    assert (two.slots, two.rate) == (4, 4.0)
    assert decided(want(limits=loose), seen(two, wanted=4, mine=frozenset(range(4)))).pace is None


def test_the_looser_holds_once_nobody_brings_the_stricter_any_more() -> None:
    found = row(5.0, connections=3, slots=3, limits_at=NOW - pace.LIMITS_STAND)
    assert decided(want(limits=LIMITS), seen(found)).grant.of == 5


def test_limits_are_confirmed_now_and_then_and_not_at_every_ask() -> None:
    assert pace.limited(row(limits_at=NOW - 1), LIMITS, NOW) == row(limits_at=NOW - 1)
    assert pace.limited(row(limits_at=NOW - pace.LIMITS_RENEWED), LIMITS, NOW).limits_at == NOW


# --- fast and bulk ---


def test_a_fast_worker_that_gets_nothing_says_that_it_is_urgent_and_once_a_second_is_enough() -> None:
    taken = frozenset({0, 1, 2, 3, 4})
    marked = decided(want(1), seen(row(), others=taken, apart=5), pool="fast").pace
    assert marked is not None
    assert marked.urgent_at == NOW
    recent = row(urgent_at=NOW - 0.5)
    assert decided(want(1), seen(recent, others=taken, apart=5, wanted=1), pool="fast").pace is None


def test_a_bulk_worker_gives_one_slot_to_urgent_mail_for_two_seconds() -> None:
    mine = frozenset({0, 1, 2, 3, 4})
    assert decided(want(), seen(row(urgent_at=NOW - 1.9), mine=mine)).share.dropped == {4}
    assert not decided(want(), seen(row(urgent_at=NOW - 2.1), mine=mine)).share.dropped


def test_while_mail_is_urgent_a_bulk_worker_takes_no_free_slot_that_it_needs() -> None:
    assert slots_of(decided(want(), seen(row(urgent_at=NOW), mine=frozenset({0, 1, 2, 3})))) == {0, 1, 2, 3}


def test_a_fast_worker_takes_what_is_free_and_is_urgent_no_more() -> None:
    decision = decided(want(1), seen(row(urgent_at=NOW), others=frozenset({0, 1, 2, 3}), apart=4), pool="fast")
    assert slots_of(decision) == {4}
    assert decision.pace is not None
    assert decision.pace.urgent_at == pace.NEVER


def test_bulk_workers_divide_what_fast_ones_do_not_have() -> None:
    found = seen(row(10.0), others=frozenset({0, 1, 2, 3}), apart=4, peers=[Claim(PEER, 10, 0)])
    assert len(decided(want(), found).grant.slots) == 3


def test_a_fast_worker_that_wants_nothing_takes_nothing_from_bulk_s_division() -> None:
    peers = [Claim(PEER, 10, 0)]
    assert decided(want(), seen(row(10.0), peers=peers)).grant.slots[-1].number == 4
    assert len(decided(want(), seen(row(10.0))).grant.slots) == 10
