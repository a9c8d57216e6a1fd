from scheduler.jobs import LONGEST_DELAY, MOST_ATTEMPTS, delay_after


def test_a_job_waits_longer_after_each_failure_and_is_given_up_in_the_end() -> None:
    delays = [delay_after(attempts) for attempts in range(1, MOST_ATTEMPTS + 1)]
    assert delays[:4] == [1.0, 2.0, 4.0, 8.0]
    assert delays[-1] is None
    assert all(delay is not None and delay <= LONGEST_DELAY for delay in delays[:-1])
