"""One worker process of the pools `bulk` and `fast`: recovery of dead neighbours, then the dispatcher.

Its end is the only error handling for its own faults: the supervisor starts it anew, and the first thing that a worker
does is to replay the journals of those that died on this machine.
"""

import asyncio
import random
from collections.abc import Callable
from functools import partial
from uuid import UUID

import asyncpg

from core import logs
from core.clock import Clock
from core.ids import IdSource
from core.settings import Settings
from delivery import suspension
from delivery.contents import ContentCache
from delivery.destinations import Destinations
from delivery.dispatcher import Dispatcher
from delivery.lease import Lease
from delivery.ledger import Ledger
from delivery.neighbours import beside
from delivery.opening import Members
from delivery.pacing.caps import Caps
from delivery.pacing.permits import Permits
from delivery.pacing.restrictions import Restrictions
from delivery.pacing.sites import Sites
from delivery.queue import Queue
from delivery.reactions import Reactions
from delivery.retry import RetrySchedule
from delivery.shaping import load
from delivery.ways_out import router_of, sources_of

log = logs.get()


async def run(
    *,
    settings: Settings,
    main: asyncpg.Pool,
    members: Members,
    contents: ContentCache,
    pool: str,
    slot: int,
    clock: Clock,
    new_id: IdSource,
    stop: asyncio.Event,
    jitter: Callable[[], float] = random.random,
) -> None:
    """Work until `stop`; raises Superseded if the lease is lost."""
    owner: UUID = new_id()
    lease = Lease(
        main, clock, owner=owner, pool=pool, slot=slot, seconds=settings.worker_lease, beat=settings.worker_beat
    )
    async with beside(main, settings.journal_dir, owner) as journal, lease.kept():
        log.info("worker_ready", pool=pool, slot=slot, owner=str(owner))
        ledger = Ledger(
            main, owner, clock, on_written=lambda batch: journal.settle((o.run_id, o.seq, o.try_) for o in batch)
        )
        shaping = load(settings.shaping_file)
        sites = Sites(main)
        permits = Permits(main, owner, pool, random=jitter)
        sources = await sources_of(settings, pool, sites=sites, caps=Caps(main), clock=clock)
        router = router_of(settings, shaping, clock) if any(source.peer is None for source in sources) else None
        dispatcher = Dispatcher(
            queue=Queue(main, owner, pool),
            ledger=ledger,
            journal=journal,
            lease=lease,
            members=members,
            contents=contents,
            destinations=Destinations(router, sites, members.destination_digest),
            sources=sources,
            shaping=shaping,
            permits=permits,
            reactions=Reactions(
                shaping=shaping,
                restrictions=Restrictions(main),
                suspend_run=partial(suspension.suspend_run, main),
                random=jitter,
            ),
            retry=RetrySchedule(settings.retry_first, settings.retry_cap, settings.retry_for),
            clock=clock,
            random=jitter,
            slice_seconds=settings.slice_seconds,
        )
        await dispatcher.run(stop)
