"""The tracker on its own database role: its app without a socket, or served as its process serves it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx

from core.clock import SystemClock
from core.ids import IdSource
from tests.support.runs import SIGNER
from tracking.endpoint.app import create_app
from tracking.intake import Intake, Pace
from tracking.links import Links
from tracking.process import run


@asynccontextmanager
async def tracker(pool: asyncpg.Pool, pace: Pace | None = None) -> AsyncIterator[httpx.AsyncClient]:
    clock = SystemClock()
    async with Intake(pool, clock=clock, new_id=IdSource(clock), pace=pace) as intake:
        transport = httpx.ASGITransport(create_app(intake, Links(pool), SIGNER))
        async with httpx.AsyncClient(transport=transport, base_url="https://click.example.jp") as client:
            yield client


@asynccontextmanager
async def served_tracker(pool: asyncpg.Pool) -> AsyncIterator[int]:
    """The tracker as its process runs it, on a loopback port of the system's choosing."""
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop, clock = asyncio.Event(), SystemClock()
    serving = asyncio.create_task(
        run(
            pool,
            SIGNER,
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
