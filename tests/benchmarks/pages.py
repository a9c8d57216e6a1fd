"""Sign-ups by the pages' own process, over HTTP, and how soon each is mailed; then unsubscribes (unsubscribes.py).

Forms are sent by as many browsers as keep the process busy; a sink in this process notes when each letter comes in.
What it is compared with: the same process answering a form that it refuses, which seals and stores nothing.
"""

import asyncio
import os
import time
from statistics import quantiles
from urllib.parse import urlencode

from api.pages.stamps import Stamps
from core.clock import SystemClock
from core.ways_out import RelaySettings
from deploy.keys import load_signer
from tests.benchmarks import unsubscribes
from tests.benchmarks.browsing import BROWSERS, at_once, one
from tests.benchmarks.figure import Figure
from tests.support.counting_sink import CountingSink, counting_sink
from tests.support.service import Service, running_service
from tests.support.waiting import eventually

SIGNUPS = int(os.environ.get("BENCH_SIGNUPS", "3000"))
RATE = float(os.environ.get("BENCH_SIGNUPS_RATE", "150"))


async def measure() -> list[Figure]:
    """Return the figures."""
    async with counting_sink() as sink:
        relay = RelaySettings(host="127.0.0.1", port=sink.port, tls="none", connections=20)
        bounds = {"signups_per_network": 10**6, "signups_per_account": 10**6}
        async with running_service(on_disk=True, relays=(relay,), workers=1, log_level="warning", **bounds) as service:
            path, port = await _open_form(service), service.started.settings.pages_port
            stamp = Stamps(load_signer(service.started.settings.link_key_path), SystemClock()).make(path)
            await asyncio.sleep(2.5)
            wrong = [(path, _form(stamp, "nobody"))] * (SIGNUPS // 3)
            refused = len(wrong) / await at_once(port, wrong, 422)
            began = time.monotonic()
            flood = [(path, _form(stamp, f"flood{number}@example.jp")) for number in range(SIGNUPS)]
            answered = SIGNUPS / await at_once(port, flood, 303)
            await eventually(lambda: _taken(sink, SIGNUPS), within=120)
            mailed = SIGNUPS / (time.monotonic() - began)
            late = await _steadily(port, sink, path, stamp)
            left = await unsubscribes.measure(service)
    conditions = f"{SIGNUPS:,} sign-ups, {BROWSERS} connections, all on the same {os.cpu_count()} cores"
    cuts = quantiles(late, n=100)
    return [
        Figure(name="forms_refused", value=refused, unit="1/s", conditions="a form with a fault in it, for comparison"),
        Figure(name="signups", value=answered, unit="1/s", conditions=f"answered; {conditions}"),
        Figure(name="letters", value=mailed, unit="1/s", conditions="of these, until the last letter came in"),
        Figure(name="letter_p50", value=cuts[49], unit="s", conditions=f"answer to mail, at {RATE:g}/s"),
        Figure(name="letter_p99", value=cuts[98], unit="s", conditions=f"the same, at {RATE:g}/s"),
        *left,
    ]


async def _open_form(service: Service) -> str:
    """Open the account's form; return its path."""
    sender = await service.post(
        "/v1/senders",
        {"name": "店", "address": "news@shop.example", "postal_address": "東京都1-1", "contact": "help@shop.example"},
    )
    match = (await service.client.get("/v1/account/branding")).headers["ETag"]
    answer = await service.client.patch(
        "/v1/account/branding", json={"sender": sender["id"], "signup_open": True}, headers={"If-Match": match}
    )
    return "/f/" + str(answer.json()["signup_url"]).rpartition("/")[2]


def _form(stamp: str, address: str) -> bytes:
    return urlencode({"stamp": stamp, "email": address, "consent": "on"}).encode()


async def _steadily(port: int, sink: CountingSink, path: str, stamp: str) -> list[float]:
    """Return how long each letter took from its form's answer, when forms come at an even rate."""
    answered: dict[str, float] = {}
    arrived: dict[str, float] = {}

    async def send(address: str) -> None:
        await one(port, path, _form(stamp, address), 303)
        answered[address] = time.monotonic()

    async def watch() -> bool:
        now = time.monotonic()
        for address in answered.keys() - arrived.keys():
            if sink.received[address]:
                arrived[address] = now
        return len(arrived) == SIGNUPS

    watching = asyncio.create_task(eventually(watch, within=SIGNUPS / RATE + 60, step=0.01))
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(SIGNUPS):
            await asyncio.sleep(max(0.0, began + number / RATE - time.monotonic()))
            group.create_task(send(f"steady{number}@example.jp"))
    await watching
    return [max(0.0, arrived[address] - at) for address, at in answered.items()]


async def _taken(sink: CountingSink, count: int) -> bool:
    return sink.received.total() >= count
