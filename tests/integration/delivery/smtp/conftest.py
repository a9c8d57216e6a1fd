"""Everything here runs on asyncio's loop and on uvloop: transports differ where TLS, pausing and closing are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import uvloop

from delivery.smtp.connection import Connection, connect
from delivery.smtp.peer import Peer, Timeouts
from tests.integration.delivery.smtp.letters import PATIENT
from tests.support.scripted_smtp import Certificate, Scripted, make_certificate

Open = Callable[..., Awaitable[Connection]]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def open_to() -> AsyncIterator[Open]:
    """`await open_to(server, timeouts=…, **peer)`: serve the script and connect to it; all is closed at the end."""
    async with AsyncExitStack() as stack:

        async def opened(server: Scripted, *, timeouts: Timeouts = PATIENT, **peer: object) -> Connection:
            if not server.port:
                await stack.enter_async_context(server.serving())
            target = replace(Peer("127.0.0.1", server.port, tls="none"), **peer)
            connection = await connect(target, ehlo_name="worker.example", timeouts=timeouts)
            stack.push_async_callback(connection.close)
            return connection

        yield opened
