"""Workers and Postgres die at random while the receiver misbehaves in every way that it knows.

The suite has the short form; `make chaos` the long one, of fifty thousand recipients.
"""

import asyncio
import os
import random
import signal

import pytest

from core.ways_out import RelaySettings
from tests.support.misbehaving_sink import MisbehavingSink, misbehaving_sink
from tests.support.service import Service, running_service

SEED = 20_261_124
CONNECTIONS = 10
WORKERS = 4


async def test_kills_and_a_misbehaving_receiver_lose_nothing_and_double_nothing() -> None:
    await chaos(members=3_000, seconds=8, victims=("worker-bulk-0", "worker-bulk-1", "worker-bulk-2", "postgres"))


@pytest.mark.chaos
async def test_fifty_thousand_recipients_beside_a_minute_of_random_kills() -> None:
    workers = [f"worker-bulk-{slot}" for slot in range(WORKERS)]
    victims = (*workers, *workers, *workers, "postgres", "scheduler", "tracker", "worker-jobs-0")
    await chaos(members=50_000, seconds=60, victims=victims)


async def chaos(*, members: int, seconds: float, victims: tuple[str, ...]) -> None:
    async with misbehaving_sink(SEED) as sink:
        relay = RelaySettings(host="127.0.0.1", port=sink.port, tls="none", connections=CONNECTIONS)
        async with running_service(
            relays=(relay,), workers=WORKERS, retry_first=1, retry_cap=2, final_dot_timeout=3
        ) as service:
            addresses = [f"member{n}@example.jp" for n in range(members)]
            await service.import_members(addresses)
            campaign = await service.campaign(at="now", rate_per_hour=int(members / seconds / 2 * 3_600))
            await service.accepted_at_least(20)
            kills = await kill_at_random(service, victims, seconds)
            await service.whole_again()
            sink.behave()
            await service.main_owner.execute("UPDATE lane SET rate_per_hour = NULL, next_claim_at = '-infinity'")
            await service.reaches(campaign, "finished", within=240)
            await check(service, campaign, sink, addresses, kills)


async def kill_at_random(service: Service, victims: tuple[str, ...], seconds: float) -> int:
    """kill -9 one after another for a while; how many of them were sending."""
    chance = random.Random(SEED)
    loop = asyncio.get_running_loop()
    end, kills = loop.time() + seconds, 0
    while loop.time() < end:
        name = chance.choice(victims)
        try:
            os.kill(service.pid(name), signal.SIGKILL)
        except (LookupError, ProcessLookupError):
            pass  # it is being started again
        else:
            kills += name.startswith("worker-bulk")
        await asyncio.sleep(chance.uniform(0.3, 2.0))
    return kills


async def check(service: Service, campaign: str, sink: MisbehavingSink, addresses: list[str], kills: int) -> None:
    """accepted ⊆ received ⊆ accepted ∪ uncertain; nothing twice; uncertain only what nobody can know."""
    await service.verified()
    report = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
    assert sink.faults.total() > 0
    assert sink.faults["drop_after_dot"] or len(addresses) < 5_000
    assert kills > 1
    assert set(sink.received.values()) <= {1}, "a message came twice"
    assert set(sink.received) <= set(addresses)
    assert report["waiting"] == 0
    assert report["accepted"] + report["uncertain"] == len(addresses)
    assert report["accepted"] <= sink.received.total() <= report["accepted"] + report["uncertain"]
    assert report["uncertain"] <= kills * CONNECTIONS + sink.broken
