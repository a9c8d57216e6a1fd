"""One worker process that sends at each of its turns for a while: `sending.py DSN OWNER SOURCE SITE RATE SECONDS`.

Asks four times a second, as workers do. Prints JSON: when it sent (monotonic seconds, the same clock for all processes
of a machine) and the longest that an answer took.
"""

import asyncio
import json
import sys
from uuid import UUID

from core.clock import SystemClock
from core.database import close_pool, open_pool
from delivery.pacing.permits import Permits
from delivery.pacing.turns import Turns
from tests.integration.delivery.pacing.workers import Limits, Worker

ASK_SECONDS = 0.25


async def main(dsn: str, owner: str, source_id: str, site_id: str, rate: str, seconds: str) -> None:
    clock = SystemClock()
    pool = await open_pool(dsn, name="sending", min_size=1, max_size=1)
    permits = Permits(pool, UUID(owner), "bulk", lambda: 0.0)
    worker = Worker(UUID(owner), permits, (int(source_id), int(site_id)))
    sent: list[float] = []
    slowest = 0.0
    turns: Turns | None = None
    ask_at = 0.0
    try:
        # The first answer is slow, since all is new to the connection; nothing is sent by it.
        await worker.ask(limits=Limits(rate=float(rate)))
        end = clock.monotonic() + float(seconds)
        while (now := clock.monotonic()) < end:
            if now >= ask_at:
                grant = await worker.ask(limits=Limits(rate=float(rate)), open=frozenset(worker.slots))
                answered = clock.monotonic()
                slowest = max(slowest, answered - now)
                turns = Turns.renewed(turns, grant, now=answered)
                ask_at = answered + ASK_SECONDS
            assert turns is not None
            now = clock.monotonic()
            sent += [now for slot in worker.slots if turns.take(slot, now)]
            wake = min((turns.next_at(slot, now) for slot in worker.slots), default=ask_at)
            await asyncio.sleep(max(0.0, min(wake, ask_at) - clock.monotonic()))
        await permits.release_all()
    finally:
        await close_pool(pool)
    sys.stdout.write(json.dumps({"sent": sent, "slowest": slowest}))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
