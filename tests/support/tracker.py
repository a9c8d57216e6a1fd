"""The tracker's app without a socket: a client that speaks HTTP to it, on the tracker's own database role."""

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


@asynccontextmanager
async def tracker(pool: asyncpg.Pool, pace: Pace | None = None) -> AsyncIterator[httpx.AsyncClient]:
    clock = SystemClock()
    async with Intake(pool, clock=clock, new_id=IdSource(clock), pace=pace) as intake:
        transport = httpx.ASGITransport(create_app(intake, Links(pool), SIGNER))
        async with httpx.AsyncClient(transport=transport, base_url="https://click.example.jp") as client:
            yield client
