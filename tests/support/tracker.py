"""The tracker on its own database role: its app without a socket, or served as its process serves it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import httpx

from core.clock import SystemClock
from core.ids import IdSource
from tests.support.runs import SIGNER
from tracking.endpoint.app import create_app
from tracking.intake import Intake, Pace
from tracking.links import Links
from tracking.machines import rules
from tracking.process import run
from tracking.spool import Spool

READER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
"""What a person's mail program says it is."""

SPOOL_BYTES = 10_000_000

PAGES = "https://my.example.jp"


@asynccontextmanager
async def tracker(
    pool: asyncpg.Pool, pace: Pace | None = None, *, spool: Path | None = None, spool_bytes: int = SPOOL_BYTES
) -> AsyncIterator[httpx.AsyncClient]:
    """The app, asked by a person's mail program; a spool of its own unless one is given."""
    clock = SystemClock()
    new_id = IdSource(clock)
    with TemporaryDirectory() as own:
        kept = Spool(spool or Path(own), most_bytes=spool_bytes, new_id=new_id)
        async with Intake(pool, kept, clock=clock, new_id=new_id, pace=pace) as intake:
            transport = httpx.ASGITransport(create_app(intake, Links(pool), SIGNER, rules.load(), PAGES))
            async with httpx.AsyncClient(
                transport=transport, base_url="https://click.example.jp", headers={"user-agent": READER}
            ) as client:
                yield client


@asynccontextmanager
async def served_tracker(pool: asyncpg.Pool, pages_url: str = PAGES) -> AsyncIterator[int]:
    """The tracker as its process runs it, on a loopback port of the system's choosing."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop, clock = asyncio.Event(), SystemClock()
    with TemporaryDirectory() as spool:
        serving = asyncio.create_task(
            run(
                pool,
                SIGNER,
                pages_url=pages_url,
                spool=Path(spool),
                spool_bytes=SPOOL_BYTES,
                host="127.0.0.1",
                port=0,
                stop=stop,
                clock=clock,
                new_id=IdSource(clock),
                on_ready=ready.set_result,
            )
        )
        try:
            yield await ready
        finally:
            stop.set()
            await serving
