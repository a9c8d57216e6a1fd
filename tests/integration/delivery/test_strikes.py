"""What refusals during SMTP come to over several runs."""

import asyncpg
import pytest

from core.ids import IdSource
from delivery.ledger import Outcome, record
from delivery.replies.verdict import Reason, Verdict
from tests.support.runs import Run, make_run


async def refuse(main: asyncpg.Pool, new_id: IdSource, run: Run, reason: Reason) -> None:
    owner = new_id()
    await main.execute(
        "INSERT INTO intent (run_id, seq, try, epoch, chunk_id, owner, at) VALUES ($1, 1, 1, 1, $2, $3, app.now())",
        *(run.run_id, run.chunk_id, owner),
    )
    outcome = Outcome(run.run_id, 1, 1, Verdict("failed", reason), 552, None, 0.0)
    assert await record(main, owner, [outcome], now=0.0) == 1
    # A result whose answer was lost is written again.
    await record(main, owner, [outcome], now=0.0)


async def runs_of_one_member(main: asyncpg.Pool, owner: asyncpg.Pool, new_id: IdSource, number: int) -> list[Run]:
    runs = [await make_run(main, new_id, recipients=1)]
    for _ in range(number - 1):
        run = await make_run(main, new_id, recipients=1, account_id=runs[0].account_id)
        await owner.execute("UPDATE recipient SET member_id = $2 WHERE run_id = $1", run.run_id, runs[0].members[0])
        runs.append(run)
    return runs


async def test_the_third_full_mailbox_stops_its_member(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource
) -> None:
    runs = await runs_of_one_member(main, main_owner, new_id, 3)
    for run in runs:
        assert await main.fetchval("SELECT count(*) FROM stop") == 0
        await refuse(main, new_id, run, Reason.MAILBOX_FULL)
    row = await main.fetchrow("SELECT member_id, reason, scope FROM stop")
    assert tuple(row) == (runs[0].members[0], "bounced", "all")


@pytest.mark.parametrize("reason", [Reason.SPAM, Reason.THROTTLED, Reason.MESSAGE_TOO_LARGE, Reason.EXPIRED])
async def test_what_is_about_us_stops_nobody(
    main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource, reason: Reason
) -> None:
    for run in await runs_of_one_member(main, main_owner, new_id, 3):
        await refuse(main, new_id, run, reason)
    assert await main.fetchval("SELECT count(*) FROM stop") == await main.fetchval("SELECT count(*) FROM strike") == 0
