"""The tracker process: takes in what comes back until it is told to stop."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import asyncpg

from core.clock import Clock
from core.tokens import LinkSigner
from tracking.endpoint.app import create_app
from tracking.endpoint.server import serve
from tracking.intake import Intake
from tracking.links import Links


async def run(
    main: asyncpg.Pool,
    signer: LinkSigner,
    *,
    host: str,
    port: int,
    stop: asyncio.Event,
    clock: Clock,
    new_id: Callable[[], UUID],
    on_ready: Callable[[int], None] = lambda _: None,
) -> None:
    """Serve on `host`:`port` until `stop`; what was taken in is committed and answered before this returns.

    `main` is a pool of the role `todoku_tracker`. `on_ready` gets the port that is listened on.
    """
    async with Intake(main, clock=clock, new_id=new_id) as intake:
        await serve(create_app(intake, Links(main), signer), host=host, port=port, stop=stop, on_ready=on_ready)
