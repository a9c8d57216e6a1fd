"""A hundred campaigns due at the same instant beside a running large one, and urgent mail beside it: how late is each?

Times are the receiver's own: a sink in this process notes each message as it takes it in.
"""

import os
import time
from datetime import UTC, datetime, timedelta
from statistics import quantiles

from core.ways_out import RelaySettings
from tests.benchmarks.figure import Figure
from tests.support.counting_sink import CountingSink, counting_sink
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

LARGE = int(os.environ.get("BENCH_MEMBERS", "200000"))
CAMPAIGNS = 100
EACH = 50
URGENT = 40
BATCH = 100_000


async def measure() -> list[Figure]:
    """Return the figures."""
    async with counting_sink() as sink:
        relay = RelaySettings(host="127.0.0.1", port=sink.port, tls="none", connections=20)
        async with running_service(on_disk=True, relays=(relay,), workers=2, log_level="warning") as service:
            for first in range(0, LARGE, BATCH):
                await service.import_members([f"large{n}@example.jp" for n in range(first, min(first + BATCH, LARGE))])
            groups = [await _small_group(service, number) for number in range(CAMPAIGNS)]
            large = await service.campaign(at=datetime.now(UTC) + timedelta(seconds=1))
            await eventually(lambda: _taken(sink, 2_000), within=60)
            urgent = await _urgent(service, sink, large)
            campaigns = [await service.campaign(audience={"groups": [group]}) for group in groups]
            at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)
            for campaign in campaigns:
                await service.schedule(campaign, at)
            due = time.monotonic() + (at - datetime.now(UTC)).total_seconds()
            before, began = sink.received.total(), time.monotonic()
            late = await _firsts(sink, due)
            meanwhile = (sink.received.total() - before) / (time.monotonic() - began)
            running = await service.state(large) == "running"
            if running:
                await service.post(f"/v1/campaigns/{large}/cancel")
            conditions = f"{CAMPAIGNS} campaigns at one instant, one of {LARGE:,} running"
    if not running:
        raise SystemExit("The large campaign was over too early: set BENCH_MEMBERS higher")
    return [
        Figure(name="first_mail_p50", value=quantiles(late, n=20)[9], unit="s", conditions=conditions),
        Figure(name="first_mail_max", value=max(late), unit="s", conditions="the last of them"),
        Figure(name="meanwhile", value=meanwhile, unit="1/s", conditions="messages taken in from all campaigns"),
        Figure(
            name="urgent_p50", value=quantiles(urgent, n=20)[9], unit="s", conditions="test mail, request to receiver"
        ),
        Figure(
            name="urgent_p95", value=quantiles(urgent, n=20)[18], unit="s", conditions=f"{URGENT} requests in a row"
        ),
    ]


async def _small_group(service: Service, number: int) -> str:
    made = await service.post("/v1/groups", {"name": f"group {number}"})
    lines = ["email,name", *(f"small{number}.{n}@example.jp,山田" for n in range(EACH))]
    answer = await service.client.post(
        "/v1/imports",
        files={"file": ("members.csv", "\r\n".join(lines).encode())},
        data={"consent_source": "a form", "groups": f'["{made["id"]}"]'},
    )
    assert answer.status_code == 202, answer.text
    group = str(made["id"])
    imported = answer.json()["id"]

    async def finished() -> bool:
        return bool((await service.get(f"/v1/imports/{imported}"))["state"] == "finished")

    await eventually(finished, within=60)
    return group


async def _taken(sink: CountingSink, count: int) -> bool:
    return sink.received.total() >= count


async def _urgent(service: Service, sink: CountingSink, campaign: str) -> list[float]:
    """Ask for test mails one after another; return the seconds from each request to its arrival."""
    waited = []
    for number in range(URGENT):
        address = f"large{number}@example.jp"
        before, began = sink.received[address], time.monotonic()
        await service.post(f"/v1/campaigns/{campaign}/test", {"addresses": [address]})
        await eventually(lambda: _arrived(sink, address, before), within=30, step=0.002)  # noqa: B023 - awaited here
        waited.append(time.monotonic() - began)
    return waited


async def _arrived(sink: CountingSink, address: str, before: int) -> bool:
    return sink.received[address] > before


async def _firsts(sink: CountingSink, due: float) -> list[float]:
    """Return how late the first mail of each small campaign arrived, in seconds."""
    firsts: dict[int, float] = {}

    async def all_there() -> bool:
        for number in set(range(CAMPAIGNS)) - firsts.keys():
            if any(sink.received[f"small{number}.{n}@example.jp"] for n in range(EACH)):
                firsts[number] = time.monotonic()
        return len(firsts) == CAMPAIGNS

    await eventually(all_there, within=60, step=0.02)
    return [at - due for at in firsts.values()]
