from datetime import UTC, datetime

import asyncpg
from rich.console import Console

from core.clock import Clock, FixedClock
from core.ids import IdSource
from delivery.lease import Lease
from deploy.top import Glance, look, picture, rates
from tests.support.runs import make_run


def drawn(glance: Glance, before: Glance | None = None) -> str:
    console = Console(width=160, color_system=None)
    with console.capture() as captured:
        console.print(picture(glance, before, wide=True))
    return captured.get()


async def test_an_idle_installation_shows_that_nobody_works(main: asyncpg.Pool, clock: Clock) -> None:
    shown = drawn(await look(main, clock))
    assert "no run yet" in shown
    assert "no worker is alive" in shown


async def test_runs_workers_and_what_waits_are_shown_by_figures(
    main: asyncpg.Pool, clock: Clock, new_id: IdSource
) -> None:
    run = await make_run(main, new_id, recipients=3)
    await main.execute("INSERT INTO lane (run_id, pool, state, weight) VALUES ($1, 'bulk', 'running', 7)", run.run_id)
    await main.execute(
        "INSERT INTO tally_delta (run_id, kind, detail, total, people) VALUES ($1, 'accepted', '', 2, 0)", run.run_id
    )
    await main.execute("UPDATE chunk SET not_before = app.now() + interval '1 hour' WHERE run_id = $1", run.run_id)
    await main.execute(
        "INSERT INTO stop (account_id, member_id, reason, occurred_at) VALUES ($1, $2, 'unsubscribed', app.now())",
        run.account_id,
        run.members[0],
    )
    lease = Lease(main, clock, owner=new_id(), pool="bulk", slot=4, seconds=45, beat=10)
    async with lease.kept():
        glance = await look(main, clock)
    [seen] = glance.runs
    assert (seen["state"], seen["accepted"], seen["retries"], seen["uncertain"]) == ("running", 2, 3, 0)
    shown = drawn(glance)
    assert "1 running" in shown
    assert "1 workers" in shown
    assert "3 retries waiting" in shown
    assert "1 stops to carry" in shown
    assert "2/3" in shown
    assert "bulk running x7" in shown
    assert "bulk 4" in shown
    assert str(run.members[0]) not in shown


def test_the_rate_is_what_was_accepted_between_two_glances() -> None:
    clock = FixedClock(datetime(2026, 12, 1, tzinfo=UTC))
    run = {"run_id": 1, "accepted": 100}
    before = Glance(clock.monotonic(), [run], [], {})
    clock.advance(2.0)
    now = Glance(clock.monotonic(), [{**run, "accepted": 500}, {"run_id": 2, "accepted": 9}], [], {})
    assert rates(now, before) == {1: 200.0}
    assert rates(now, None) == {}
