"""Everything that can die is killed at random for a minute: `make chaos`. The suite has the short forms."""

import asyncio
import os
import random
import signal

import pytest

from tests.acceptance.ledger import check_ledger
from tests.support.service import running_service, soon

SECONDS = 60
SEED = 20_261_121
MEMBERS = 20_000


@pytest.mark.chaos
async def test_a_minute_of_random_kills_loses_nothing_and_sends_nothing_twice() -> None:
    chance = random.Random(SEED)
    async with running_service(workers=4, retry_first=1, retry_cap=2) as service:
        addresses = [f"member{n}@example.jp" for n in range(MEMBERS)]
        await service.import_members(addresses)
        campaign = await service.campaign(at=soon(0.5), rate_per_hour=200 * 3_600)
        await service.accepted_at_least(20)
        victims = [f"worker-bulk-{slot}" for slot in range(4)] * 3 + [
            "postgres",
            "scheduler",
            "tracker",
            "worker-jobs-0",
        ]
        loop = asyncio.get_running_loop()
        end, kills = loop.time() + SECONDS, 0
        while loop.time() < end:
            name = chance.choice(victims)
            try:
                os.kill(service.pid(name), signal.SIGKILL)
            except (LookupError, ProcessLookupError):
                pass  # it is being started again
            else:
                kills += name.startswith("worker-bulk")
            await asyncio.sleep(chance.uniform(0.3, 2.0))
        await service.whole_again()
        await service.main_owner.execute("UPDATE lane SET rate_per_hour = NULL, next_claim_at = '-infinity'")
        await service.reaches(campaign, "finished", within=180)
        assert kills > 5
        await check_ledger(service, campaign, addresses, kills=kills)
