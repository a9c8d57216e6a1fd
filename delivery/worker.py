"""One worker process of the pools `bulk` and `fast`: recovery of dead neighbours, then the dispatcher.

Its end is the only error handling for its own faults: the supervisor starts it anew, and the first thing that a worker
does is to replay the journals of those that died on this machine.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import asyncpg

from core import logs
from core.clock import Clock
from core.database import AWAY, with_retry
from core.ids import IdSource
from core.settings import RelaySettings, Settings
from delivery import recovery
from delivery.contents import ContentCache
from delivery.dispatcher import Dispatcher
from delivery.journal import Journal
from delivery.lease import Lease
from delivery.ledger import Ledger
from delivery.opening import Members, Opening
from delivery.queue import Queue
from delivery.retry import RetrySchedule
from delivery.smtp.relay import Relay, Timeouts
from delivery.source import Source

REPLAY_EVERY = 5.0
"""Seconds between looks for journals of workers that died beside us."""

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

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
    directory = settings.journal_dir
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    boot_id = this_boot()
    await with_retry(lambda: recovery.replay(main, directory, boot_id), what="replay")
    owner: UUID = new_id()
    journal = Journal.create(directory, owner=owner, boot_id=boot_id)
    lease = Lease(
        main, clock, owner=owner, pool=pool, slot=slot, seconds=settings.worker_lease, beat=settings.worker_beat
    )
    async with lease.kept():
        log.info("worker_ready", pool=pool, slot=slot, owner=str(owner))
        ledger = Ledger(
            main, owner, clock, on_written=lambda batch: journal.settle((o.run_id, o.seq, o.try_) for o in batch)
        )
        queue = Queue(main, owner, pool)
        retry = RetrySchedule(settings.retry_first, settings.retry_cap, settings.retry_for)
        opening = Opening(
            queue=queue,
            ledger=ledger,
            members=members,
            contents=contents,
            retry=retry,
            clock=clock,
            random=jitter,
            slice_seconds=settings.slice_seconds,
        )
        dispatcher = Dispatcher(
            queue=queue,
            ledger=ledger,
            journal=journal,
            lease=lease,
            opening=opening,
            retry=retry,
            clock=clock,
            random=jitter,
        )
        dispatcher.sources = sources_of(settings, dispatcher, jitter)
        neighbours = asyncio.create_task(_replay_neighbours(main, directory, boot_id))
        try:
            await dispatcher.run(stop)
        finally:
            neighbours.cancel()
    # Only now: until the lease was given up, this file was what told of our open intents.
    journal.close(remove=True)


def sources_of(settings: Settings, dispatcher: Dispatcher, jitter: Callable[[], float]) -> list[Source]:
    """One source for each relay; without any, the embedded mailbox is the only way out."""
    relays = settings.relays or (RelaySettings(host="127.0.0.1", port=settings.mailbox_smtp_port, tls="none"),)
    timeouts = Timeouts(body=recovery.BODY_SECONDS, final=settings.final_dot_timeout)
    return [
        Source(
            Relay(
                host=relay.host,
                port=relay.port,
                username=relay.username,
                password=relay.password,
                tls=relay.tls,
                ca_file=relay.ca_file,
                connections=relay.connections,
                messages_per_connection=relay.messages_per_connection,
                weight=relay.weight,
            ),
            name=str(number),
            ehlo_name=settings.ehlo_name,
            timeouts=timeouts,
            carry=dispatcher.carry,
            give_back=dispatcher.carrier.give_back,
            random=jitter,
        )
        for number, relay in enumerate(relays)
    ]


def this_boot() -> str:
    """Return what tells this boot of the machine from any other; where that can't be known, nothing is trusted."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown".ljust(36)


async def _replay_neighbours(main: asyncpg.Pool, directory: Path, boot_id: str) -> None:
    while True:
        await asyncio.sleep(REPLAY_EVERY)
        try:
            await recovery.replay(main, directory, boot_id)
        except AWAY:
            continue
