"""The tracker on its own database role: its app without a socket, or served as its process serves it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
import httpx

from core.clock import SystemClock
from core.ids import IdSource
from tests.support.runs import SIGNER
from tests.support.serving import listening
from tracking.endpoint.connection import Bounds
from tracking.intake import Pace
from tracking.process import run

READER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
"""What a person's mail program says it is."""

SPOOL_BYTES = 10_000_000

PAGES = "https://my.example.jp"


@asynccontextmanager
async def tracker(
    pool: asyncpg.Pool,
    pace: Pace | None = None,
    *,
    spool: Path | None = None,
    spool_bytes: int = SPOOL_BYTES,
    bounds: Bounds | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A tracker, asked by a person's mail program; a spool of its own unless one is given."""
    async with (
        served_tracker(pool, pace=pace, spool=spool, spool_bytes=spool_bytes, bounds=bounds) as port,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"user-agent": READER},
            timeout=60,
            limits=httpx.Limits(max_connections=None),
        ) as client,
    ):
        yield client


@asynccontextmanager
async def served_tracker(
    pool: asyncpg.Pool,
    pages_url: str = PAGES,
    *,
    pace: Pace | None = None,
    spool: Path | None = None,
    spool_bytes: int = SPOOL_BYTES,
    bounds: Bounds | None = None,
    hosts: Collection[str] = (),
) -> AsyncIterator[int]:
    """The tracker as its process runs it, on a loopback port of the system's choosing."""
    clock = SystemClock()
    with TemporaryDirectory() as own:

        async def serve(stop: asyncio.Event, on_ready: Callable[[int], None]) -> None:
            await run(
                pool,
                SIGNER,
                pages_url=pages_url,
                spool=spool or Path(own),
                spool_bytes=spool_bytes,
                host="127.0.0.1",
                port=0,
                stop=stop,
                clock=clock,
                new_id=IdSource(clock),
                pace=pace,
                bounds=bounds,
                hosts=hosts,
                on_ready=on_ready,
            )

        async with listening(serve) as port:
            yield port
