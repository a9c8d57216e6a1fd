"""Which bounces stop a member, as an account sets it over REST and mail that comes in finds it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from core.ids import IdSource, encode
from tests.support.inbound import Inbound, address, dsn, inbound
from tests.support.runs import Run, make_run

WHERE = "/v1/account"
UNKNOWN, FULL, BLOCKED = "550 5.1.1 User unknown", "552 5.2.2 Mailbox full", "550 5.7.1 blocked using zen.spamhaus.org"


@pytest.fixture
async def there(main_inbound: asyncpg.Pool, tmp_path: Path) -> AsyncIterator[Inbound]:
    async with inbound(main_inbound, tmp_path) as listening:
        yield listening


class Mailed:
    """Several runs of the account to the same members."""

    def __init__(self, main: asyncpg.Pool, there: Inbound, runs: list[Run]) -> None:
        self.main = main
        self.there = there
        self.runs = runs

    async def bounce(self, seq: int, diagnostic: str, times: int) -> None:
        """So many runs' mails to a member come back."""
        for run in self.runs[:times]:
            assert await self.there.deliver(address(run, seq), dsn(diagnostic, mark=diagnostic)) == 250

    async def stopped(self) -> list[int]:
        """The members that get no more mail, by their places."""
        rows = await self.main.fetch("SELECT member_id FROM stop WHERE reason = 'bounced'")
        return sorted(self.runs[0].members.index(row["member_id"]) + 1 for row in rows)


@pytest.fixture
async def mailed(
    account: Any, main: asyncpg.Pool, main_owner: asyncpg.Pool, new_id: IdSource, there: Inbound
) -> Mailed:
    runs = [await make_run(main, new_id, recipients=4, account_id=account.account_id) for _ in range(4)]
    for run in runs[1:]:
        await main_owner.executemany(
            "UPDATE recipient SET member_id = $3 WHERE run_id = $1 AND seq = $2",
            [(run.run_id, seq, member) for seq, member in enumerate(runs[0].members, start=1)],
        )
    return Mailed(main, there, runs)


async def change(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    read = await client.get(WHERE)
    return await client.patch(WHERE, json=fields, headers={"If-Match": read.headers["ETag"]})


async def test_at_first_a_hard_bounce_stops_at_once_three_soft_ones_do_and_what_is_about_us_never(
    mailed: Mailed, main_owner: asyncpg.Pool
) -> None:
    await mailed.bounce(1, UNKNOWN, 1)
    assert await mailed.stopped() == [1]
    await mailed.bounce(2, FULL, 2)
    await mailed.bounce(3, BLOCKED, 4)
    assert await mailed.stopped() == [1]
    await mailed.bounce(2, FULL, 3)
    assert await mailed.stopped() == [1, 2]
    await mailed.bounce(4, FULL, 2)
    await main_owner.execute("UPDATE strike SET at = at - interval '15 days 1 hour'")
    await mailed.bounce(4, FULL, 4)
    assert await mailed.stopped() == [1, 2]


async def test_what_the_account_changes_holds_for_the_next_mail_and_never_blames_members_for_us(
    client: httpx.AsyncClient, mailed: Mailed, account: Any
) -> None:
    assert (await change(client, soft_bounces=1, soft_bounce_days=2)).status_code == 200
    await mailed.bounce(1, BLOCKED, 4)
    await mailed.bounce(2, FULL, 1)
    assert await mailed.stopped() == [2]
    for refused in ({"soft_bounces": 101}, {"soft_bounce_days": 367}, {"soft_bounces": None, "soft_bounce_days": 0}):
        assert (await change(client, **refused)).status_code == 422
    assert (await change(client, soft_bounces=0)).json()["soft_bounce_days"] == 2
    await mailed.bounce(3, FULL, 4)
    await mailed.bounce(4, UNKNOWN, 1)
    assert await mailed.stopped() == [2, 4]
    later, first = (await client.get("/v1/audit?action=account.changed")).json()["items"]
    assert (first["object"], first["detail"]) == (
        encode("acc", account.account_id),
        {"soft_bounces": [3, 1], "soft_bounce_days": [15, 2]},
    )
    assert later["detail"] == {"soft_bounces": [1, 0]}
    assert first["actor"].startswith("key_")
