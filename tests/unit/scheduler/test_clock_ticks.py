import asyncio

import pytest

from core.clock import SystemClock
from scheduler.clock import Tick, Ticks


async def test_the_clock_ticks_for_the_sweep_again_and_again() -> None:
    async with Ticks(SystemClock(), beat=0.01) as ticks:
        assert [await ticks.wait() for _ in range(3)] == [Tick.SWEEP] * 3


async def test_an_expected_start_ticks_at_its_time_between_the_beats() -> None:
    async with Ticks(SystemClock(), beat=60, patience=60) as ticks:
        ticks.expect([0.02, 0.02])
        assert await ticks.wait() is Tick.START


async def test_a_clock_that_died_silently_is_started_anew() -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["exception"]))
    async with Ticks(SystemClock(), beat=0.01, patience=0.2) as ticks:
        await ticks.wait()
        assert ticks._scheduler is not None

        def broken() -> None:
            raise RuntimeError("as in issue 1132")

        ticks._scheduler._process_jobs = broken
        # The beat that was on its way may still come; then none does, until patience is over.
        assert [await ticks.wait() for _ in range(5)] == [Tick.SWEEP] * 5
    assert failures
    assert all(isinstance(failure, RuntimeError) for failure in failures)


async def test_waking_the_clock_ticks_at_once() -> None:
    async with Ticks(SystemClock(), beat=60, patience=60) as ticks:
        ticks.wake()
        assert await ticks.wait() is Tick.SWEEP


async def test_a_clock_that_was_left_ticks_no_more() -> None:
    async with Ticks(SystemClock(), beat=60, patience=60) as ticks:
        pass
    ticks.expect([0.0])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await ticks.wait()
