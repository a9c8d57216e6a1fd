from uuid import UUID

from tracking.figures import Figures
from tracking.reports import figures
from tracking.tallies import Tally

RUN = UUID(int=1)


def test_who_has_no_final_result_waits() -> None:
    counted = [
        Tally(RUN, "accepted", "accepted", -1, 5, 0),
        Tally(RUN, "failed", "no_such_user", -1, 2, 0),
        Tally(RUN, "failed", "expired", -1, 1, 0),
        Tally(RUN, "suppressed", "unsubscribed", -1, 1, 0),
        Tally(RUN, "deferred", "greylisted", -1, 7, 0),
        Tally(RUN, "click", "", -1, 4, 2),
        Tally(RUN, "click", "", 0, 3, 2),
        Tally(RUN, "click", "", 1, 1, 1),
    ]
    found = figures(counted, snapshot=20, uncertain=1, cancelled=False)
    assert (found.accepted, found.failed, found.suppressed, found.uncertain, found.waiting) == (5, 3, 1, 1, 10)
    assert found.failed_by_reason == {"expired": 1, "no_such_user": 2}
    assert (found.deferred, found.clicks, found.unique_clicks) == (7, 4, 2)
    assert (found.click_rate, found.unique_click_rate, found.open_rate) == (0.8, 0.4, 0.0)


def test_in_a_cancelled_run_they_were_cancelled() -> None:
    found = figures([Tally(RUN, "accepted", "accepted", -1, 5, 0)], snapshot=20, uncertain=1, cancelled=True)
    assert (found.cancelled, found.waiting) == (14, 0)


def test_rates_are_unknown_until_something_was_accepted() -> None:
    assert Figures(snapshot=3, waiting=3).unique_open_rate is None


def test_a_total_adds_every_count_and_every_reason() -> None:
    one = Figures(snapshot=3, accepted=1, failed=2, failed_by_reason={"expired": 2}, opens=1)
    other = Figures(snapshot=2, failed=2, failed_by_reason={"expired": 1, "spam": 1}, unsubscribes=1)
    total = Figures.total([one, other])
    assert total == Figures(
        snapshot=5, accepted=1, failed=4, failed_by_reason={"expired": 3, "spam": 1}, opens=1, unsubscribes=1
    )
