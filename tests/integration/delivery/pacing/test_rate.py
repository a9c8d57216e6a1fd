"""A site's rate over several workers: what the receiver sees."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg
import pytest

from delivery.pacing.turns import LATE, Turns
from deploy.dsns import Dsns
from tests.integration.delivery.pacing.workers import Hire, Limits

ROOT = Path(__file__).parents[4]
SENDING = Path(__file__).with_name("sending.py")


def worst_excess(sent: Sequence[float], rate: float) -> float:
    """How many messages the fullest of all windows holds beyond rate * length."""
    times = sorted(sent)
    return max(
        index - earlier + 1 - rate * (times[index] - times[earlier])
        for index in range(len(times))
        for earlier in range(index + 1)
    )


async def test_the_turns_of_three_workers_make_one_even_grid(hire: Hire) -> None:
    limits = Limits(rate=20.0)
    workers = [await hire() for _ in range(3)]
    for _ in range(3):
        for worker in workers:
            await worker.ask(limits=limits)
    # Asked once more at three moments: what matters is when turns are, not when they were heard of.
    sent: list[float] = []
    clock = asyncio.get_running_loop().time
    delay = 0.0
    for worker in workers:
        asked = clock()
        grant = await worker.ask(limits=limits)
        answered = clock()
        delay = max(delay, answered - asked)
        turns = Turns.renewed(None, grant, now=answered)
        assert turns is not None
        for slot in worker.slots:
            now = turns.next_at(slot, answered)
            for _ in range(20):
                sent.append(now)
                assert turns.take(slot, now)
                now = turns.next_at(slot, now)
    assert len(sent) == 200
    assert worst_excess(sent, 20.0) <= 1.0 + 20.0 * delay + 1e-3
    assert max(sent) - min(sent) == pytest.approx(199 / 20, abs=delay + 1e-3)


async def test_a_turn_that_was_used_is_not_given_again_by_the_next_answer(hire: Hire) -> None:
    worker = await hire()
    limits = Limits(rate=0.5)
    grant = await worker.ask(limits=limits)
    turns = Turns.renewed(None, grant, now=0.0)
    assert turns is not None
    assert turns.take(0, turns.next_at(0, 0.0))
    # The database's clock has hardly moved: the same turn is still the next one there.
    again = await worker.ask(limits=limits)
    assert (again.phase, again.slots[0].turn) == (grant.phase, grant.slots[0].turn)
    renewed = Turns.renewed(turns, again, now=0.0)
    assert renewed is not None
    assert renewed.next_at(0, 0.0) == pytest.approx(again.slots[0].wait + 2.0)


async def test_a_slow_site_has_one_slot_and_one_worker_at_a_time(hire: Hire) -> None:
    one, other = await hire(), await hire()
    limits = Limits(rate=0.5)
    grant = await one.ask(limits=limits)
    assert (len(grant.slots), grant.of) == (1, 1)
    assert 1.9 < grant.slots[0].wait <= 2.0
    assert not (await other.ask(limits=limits)).slots


async def test_three_processes_together_keep_a_site_s_rate_within_one_message(
    main: asyncpg.Pool, dsns: Dsns, hire: Hire
) -> None:
    rate, seconds = 20.0, 5.0
    workers = [await hire() for _ in range(3)]
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            *(str(SENDING), dsns.main, str(worker.owner), *map(str, worker.pair), str(rate), str(seconds)),
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
        )
        for worker in workers
    ]
    outputs = [await process.communicate() for process in processes]
    reports = [json.loads(output) for output, _ in outputs]
    sent = [at for report in reports for at in report["sent"]]
    # On a busy machine answers come late and event loops wake late; what that may cost is known exactly.
    late = LATE + max(report["slowest"] for report in reports)
    assert worst_excess(sent, rate) <= 1 + rate * late
    assert len(sent) <= 1 + rate * (max(sent) - min(sent) + late)
    assert len(sent) >= 0.7 * rate * (max(sent) - min(sent))
    assert sum(bool(report["sent"]) for report in reports) == 3
    assert await main.fetchval("SELECT count(*) FROM permit") == 0
