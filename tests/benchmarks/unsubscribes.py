"""Unsubscribes over HTTP, by the button of the members' pages and by one click (RFC 8058), and how soon mail stops.

Each is sent by as many browsers as keep the process busy. Meanwhile the stops are looked for as a worker looks for them
before it intends a message; what counts is the time from a request to the first look that finds its stop. What it is
compared with: the same process refusing a token that is for something else, which reads and writes nothing.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import quantiles
from urllib.parse import urlencode
from uuid import UUID

from api.pages.stamps import Stamps
from core.clock import SystemClock
from core.database import close_pool, open_pool
from core.ids import IdSource
from core.tokens import SLOT_OPEN, SLOT_UNSUBSCRIBE
from deploy.keys import load_signer
from tests.benchmarks import processor_time
from tests.benchmarks.browsing import BROWSERS, at_once
from tests.benchmarks.figure import Figure
from tests.support.runs import Run, make_run
from tests.support.service import Service
from tests.support.waiting import eventually

UNSUBSCRIBES = int(os.environ.get("BENCH_UNSUBSCRIBES", "10000"))

_LOOK_SECONDS = 0.01
_STOPPED = """
SELECT member_id FROM stop
WHERE account_id = $1 AND member_id = ANY ($2::uuid[]) AND scope = 'all' AND lifted_at IS NULL
"""


@dataclass(frozen=True)
class _Way:
    """A way to leave: which process takes the forms, where, and its answer."""

    name: str
    process: str
    port: int
    answer: int


async def measure(service: Service) -> list[Figure]:
    """Return the figures; `service` runs and has an account."""
    settings = service.started.settings
    signer = load_signer(settings.link_key_path)
    stamps = Stamps(signer, SystemClock())
    runs = await _mailed(service)
    figures = []
    for way, run in zip(
        (
            _Way("page", "pages", settings.pages_port, 303),
            _Way("one_click", "tracker", settings.tracker_port, 200),
        ),
        runs,
        strict=True,
    ):
        minted = [signer.mint(run.run_id, seq, [SLOT_UNSUBSCRIBE, SLOT_OPEN]) for seq in range(1, UNSUBSCRIBES + 1)]
        if way.process == "pages":
            bodies = [urlencode({"stamp": stamps.make(token), "what": "all"}).encode() for token, _ in minted]
        else:
            bodies = [b"List-Unsubscribe=One-Click"] * len(minted)
        forms = [(f"/u/{token}", body) for (token, _), body in zip(minted, bodies, strict=True)]
        wrong = [(f"/u/{opens}", body) for (_, opens), body in zip(minted, bodies, strict=True)]
        figures += await _measure(service, way, run, forms, wrong[: UNSUBSCRIBES // 4])
    return figures


async def _measure(
    service: Service, way: _Way, run: Run, forms: Sequence[tuple[str, bytes]], wrong: Sequence[tuple[str, bytes]]
) -> list[Figure]:
    refused = len(wrong) / await at_once(way.port, wrong, 404)
    sent: dict[UUID, float] = {}
    seen: dict[UUID, float] = {}

    async def look() -> bool:
        """Look for the stops of whoever has sent a form and was not found stopped yet."""
        rows = await service.main.fetch(_STOPPED, run.account_id, list(sent.keys() - seen.keys()))
        seen.update(dict.fromkeys((row["member_id"] for row in rows), time.monotonic()))
        return len(seen) == len(forms)

    looking = asyncio.create_task(eventually(look, within=300, step=_LOOK_SECONDS))
    before = _spent(service, way)
    answered = len(forms) / await at_once(
        way.port, forms, way.answer, sending=lambda number: sent.setdefault(run.members[number], time.monotonic())
    )
    spent = processor_time.spent(before, _spent(service, way))
    await looking
    late = [at - sent[member] for member, at in seen.items()]
    cuts = quantiles(late, n=100)
    conditions = f"{len(forms):,} by {BROWSERS} connections, all on the same {os.cpu_count()} cores"
    costs = ", ".join(f"{part} {seconds / len(forms) * 1e6:.0f}" for part, seconds in spent.items())
    name = f"unsubscribes_{way.name}"
    return [
        Figure(name=f"{name}_refused", value=refused, unit="1/s", conditions="another token, for comparison"),
        Figure(name=name, value=answered, unit="1/s", conditions=f"{conditions}; processor time, µs each: {costs}"),
        Figure(name=f"{name}_p50", value=cuts[49], unit="s", conditions="request to stop seen, of the same"),
        Figure(name=f"{name}_p99", value=cuts[98], unit="s", conditions="the same"),
        Figure(name=f"{name}_last", value=max(late), unit="s", conditions="the latest"),
    ]


def _spent(service: Service, way: _Way) -> dict[str, float]:
    return {
        way.process: processor_time.of(service.pid(way.process)),
        "Postgres": processor_time.of_tree(service.pid("postgres")),
        "browsers": time.process_time(),
    }


async def _mailed(service: Service) -> tuple[Run, Run]:
    """Import members, and make two runs of them as they are once their mail was sent."""
    await service.import_members([f"leaver{number}@example.jp" for number in range(2 * UNSUBSCRIBES)])
    vault = await open_pool(service.started.dsns.members_owner, name="bench", max_size=1)
    try:
        rows = await vault.fetch("SELECT account_id, member_id FROM member WHERE status = 'active' ORDER BY member_id")
    finally:
        await close_pool(vault)
    new_id, members = IdSource(SystemClock()), [row["member_id"] for row in rows[-2 * UNSUBSCRIBES :]]
    one, other = [
        await make_run(
            service.main_owner,
            new_id,
            account_id=rows[0]["account_id"],
            campaign_id=new_id(),
            members=part,
            state="finished",
            chunk_state="done",
        )
        for part in (members[:UNSUBSCRIBES], members[UNSUBSCRIBES:])
    ]
    return one, other
