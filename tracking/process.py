"""The tracker process: takes in what comes back until it is told to stop."""

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path
from uuid import UUID

import asyncpg

from core.clock import Clock
from core.tokens import LinkSigner
from tracking.endpoint.connection import Bounds
from tracking.endpoint.routes import Tracker
from tracking.endpoint.server import serve
from tracking.intake import Intake, Pace
from tracking.links import Links
from tracking.machines import rules
from tracking.spool import Spool


async def run(
    main: asyncpg.Pool,
    signer: LinkSigner,
    *,
    pages_url: str,
    spool: Path,
    spool_bytes: int,
    hosts: Collection[str] = (),
    host: str,
    port: int,
    stop: asyncio.Event,
    clock: Clock,
    new_id: Callable[[], UUID],
    shared: bool = False,
    pace: Pace | None = None,
    bounds: Bounds | None = None,
    on_ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve on `host`:`port` until `stop`; what was taken in is kept and answered before this returns.

    `main` is a pool of the role `todoku_tracker`; `pages_url` is where the members' own pages are. `spool` is a
    directory that outlives the process, for events while Postgres is away, `spool_bytes` at most. `hosts`: the names
    that it answers under, any if there are none. `shared`: other trackers of this user may listen on the port too.
    `on_ready` gets the port that is listened on.
    """
    kept = Spool(spool, most_bytes=spool_bytes, new_id=new_id)
    async with Intake(main, kept, clock=clock, new_id=new_id, pace=pace) as intake:
        tracker = Tracker(intake, Links(main), signer, rules.load(), pages_url, hosts)
        await serve(
            tracker, host=host, port=port, stop=stop, clock=clock, shared=shared, bounds=bounds, on_ready=on_ready
        )
