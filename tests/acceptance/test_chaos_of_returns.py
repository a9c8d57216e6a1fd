"""Tracker, inbound and Postgres are killed, ended, held and robbed of their disk while people and servers answer mails.

They ask again until they are told that it was taken. What was answered is in the tables exactly as often, and the
reports say what the tables hold. The suite has the short form; `make chaos` ten minutes of it.
"""

import asyncio
import os
import signal
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import httpx
import pytest

from core.ids import decode
from tests.support.process_faults import full_disk, standing_still
from tests.support.service import Service, running_service
from tests.support.unrelenting import Act, Ledger, Readers, Servers, letters
from tests.support.waiting import eventually
from tracking.figures import BOUNCED
from tracking.spool import measure

SEED = 20_261_127
HTML = '<p>{{ name }} 様 <a href="https://example.com/one">one</a> <a href="https://example.com/two">two</a></p>'
READERS, SERVERS = 8, 3
LONGER_THAN_THE_TRACKER_TRIES = 2.5


async def test_what_was_answered_is_in_the_tables_once_whatever_was_killed() -> None:
    await chaos(members=60, seconds=6)


@pytest.mark.chaos
async def test_ten_minutes_of_faults_lose_and_double_nothing_that_comes_back() -> None:
    await chaos(members=2_000, seconds=600)


async def chaos(*, members: int, seconds: float) -> None:
    async with running_service(settle_after=1, workers=1) as service:
        await service.import_members([f"member{n}@example.jp" for n in range(members)])
        campaign = await service.campaign(at="now", html=HTML)
        await service.reaches(campaign, "finished", within=120)
        ledger, faults = await under_faults(service, seconds)
        await service.whole_again()
        await carried_over(service)
        run = decode("run", (await service.get(f"/v1/campaigns/{campaign}"))["run"])
        stored = await in_the_tables(service, run)
        assert ledger.breaches(stored) == []
        print(told(ledger, stored, faults))  # noqa: T201 - with -s, the figures of the long form
        assert faults.keys() == FAULTS.keys()
        assert ledger.refused > 0, "nothing was refused while the disk was full"
        await service.verified()
        await agrees(service, campaign, run)


async def under_faults(service: Service, seconds: float) -> tuple[Ledger, Counter[str]]:
    """Have people and servers at it while one fault follows another: each kind at least once, then by chance."""
    chance, ledger, ended = Random(SEED), Ledger(), asyncio.Event()
    hand = await letters(service)
    limits = httpx.Limits(max_connections=READERS, max_keepalive_connections=READERS)
    async with httpx.AsyncClient(timeout=20, trust_env=False, limits=limits) as web:
        readers = Readers(hand, ledger, web, chance)
        servers = Servers(hand, ledger, service.started.settings.inbound_port, chance)
        busy = [asyncio.create_task(readers.read_until(ended)) for _ in range(READERS)]
        busy += [asyncio.create_task(servers.send_until(ended)) for _ in range(SERVERS)]
        done: Counter[str] = Counter()
        end = asyncio.get_running_loop().time() + seconds
        turns = deque(FAULTS)
        while turns or asyncio.get_running_loop().time() < end:
            name = turns.popleft() if turns else chance.choice(list(FAULTS))
            try:
                await FAULTS[name](service)
            except (LookupError, ProcessLookupError):
                turns.append(name)  # it is being started again
            else:
                done[name] += 1
            await asyncio.sleep(chance.uniform(0.1, 1.0))
        ended.set()
        await asyncio.wait_for(asyncio.gather(*busy), timeout=120)
    return ledger, done


def killed(name: str, number: signal.Signals) -> Callable[[Service], Awaitable[None]]:
    async def fault(service: Service) -> None:
        os.kill(service.pid(name), number)

    return fault


async def held(service: Service) -> None:
    with standing_still(service.pid("postgres")):
        await asyncio.sleep(LONGER_THAN_THE_TRACKER_TRIES)


async def held_without_a_disk(service: Service) -> None:
    with full_disk(service.pid("tracker")), standing_still(service.pid("postgres")):
        await asyncio.sleep(LONGER_THAN_THE_TRACKER_TRIES)


# In this order at first: a full disk while all are up to be refused, and the two ends of one process apart, so that it
# is started again while others have their turn.
FAULTS: dict[str, Callable[[Service], Awaitable[None]]] = {
    "full disk": held_without_a_disk,
    "tracker killed": killed("tracker", signal.SIGKILL),
    "inbound killed": killed("inbound", signal.SIGKILL),
    "Postgres killed": killed("postgres", signal.SIGKILL),
    "Postgres held": held,
    "tracker ended": killed("tracker", signal.SIGTERM),
    "inbound ended": killed("inbound", signal.SIGTERM),
    "scheduler killed": killed("scheduler", signal.SIGKILL),
    "Postgres stopped": killed("postgres", signal.SIGINT),
}


async def carried_over(service: Service) -> None:
    """Wait until the spool is empty and all is settled and counted."""

    async def nothing_waits() -> bool:
        spool = measure(service.started.settings.spool_dir)
        assert not spool.damaged
        if spool.files:
            return False
        unsettled: int = await service.main.fetchval("SELECT count(*) FROM ingest_batch WHERE settled_at IS NULL")
        return unsettled == 0

    await eventually(nothing_waits, within=60, step=0.1)


async def in_the_tables(service: Service, run: Any) -> Counter[Act]:
    rows = await service.main.fetch(
        "SELECT seq, kind, link, coalesce(detail, '') AS detail, count(*) FROM event WHERE run_id = $1 "
        "GROUP BY 1, 2, 3, 4",
        run,
    )
    return Counter({Act(row["seq"], row["kind"], row["link"], row["detail"]): row["count"] for row in rows})


async def agrees(service: Service, campaign: str, run: Any) -> None:
    """The report says what a recount of the events says."""
    rows = await service.main.fetch("SELECT seq, kind, detail, label FROM event WHERE run_id = $1", run)
    report = (await service.get(f"/v1/reports/campaigns/{campaign}"))["total"]
    for kind, plural in (("open", "opens"), ("click", "clicks")):
        of_kind = [row for row in rows if row["kind"] == kind]
        human = [row for row in of_kind if row["label"] == "human"]
        assert report[plural] == len(of_kind)
        assert report[f"unique_{plural}"] == len({row["seq"] for row in of_kind})
        assert report[f"human_{plural}"] == len(human)
        assert report[f"unique_human_{plural}"] == len({row["seq"] for row in human})
        assert report[f"machine_{plural}"] == len(of_kind) - len(human)
    people = {kind: {row["seq"] for row in rows if row["kind"] == kind} for kind in ("unsubscribe", "complaint")}
    assert report["unsubscribes"] == len(people["unsubscribe"])
    assert report["complaints"] == len(people["complaint"])
    bounced = Counter(detail for _, detail in {(row["seq"], row["detail"]) for row in rows if row["kind"] == "bounce"})
    assert report["bounces_by_class"] == bounced
    assert report["bounces"] == sum(bounced[one] for one in BOUNCED)


def told(ledger: Ledger, stored: Counter[Act], faults: Counter[str]) -> str:
    """The run in figures."""
    named = ", ".join(f"{count} {name}" for name, count in faults.items())
    return (
        f"{faults.total()} faults ({named}); {ledger.answered.total():,} answered, of these {ledger.mails:,} mails; "
        f"{ledger.unanswered.total():,} tries without (503: {ledger.refused:,}); {stored.total():,} in the tables"
    )
