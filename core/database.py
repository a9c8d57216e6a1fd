"""Pools of connections to the two databases, and what to do while one of them is away."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import asyncpg
import orjson

from core import logs

log = logs.get()

T = TypeVar("T")

AWAY: tuple[type[BaseException], ...] = (
    OSError,
    asyncpg.InterfaceError,
    # What asyncpg says of a connection that broke in the middle of an exchange.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
)
"""What asyncpg raises when the server is gone, going or not there yet (killed, restarted, failed over)."""


async def open_pool(
    dsn: str, *, name: str, min_size: int = 0, max_size: int = 4, plan_once: bool = False
) -> asyncpg.Pool:
    """Open a pool; `name` is shown in pg_stat_activity. A statement ends after 60 s, an idle transaction after 30.

    `plan_once`: each statement is planned once a connection, whatever its arguments, for who repeats a few for ever.

    Connections are opened when needed, so a pool can be made before its server is up. jsonb is read and
    written as Python values.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        init=_init,
        reset=_keep,
        timeout=10,
        command_timeout=90,
        server_settings={
            "application_name": f"todoku {name}",
            "statement_timeout": "60s",
            "idle_in_transaction_session_timeout": "30s",
            "jit": "off",
            "timezone": "UTC",
            "plan_cache_mode": "force_generic_plan" if plan_once else "auto",
        },
    )


async def _init(connection: asyncpg.Connection) -> None:
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, encoder=_encode, decoder=orjson.loads, schema="pg_catalog", format="text")


async def _keep(_connection: asyncpg.Connection) -> None:
    """Leave a connection as it is: no session state is ever set, and asyncpg's own reset is a round trip a statement.

    An open transaction has been rolled back before this is called.
    """


def _encode(value: object) -> str:
    return orjson.dumps(value).decode()


async def with_retry(
    call: Callable[[], Awaitable[T]],
    *,
    what: str,
    wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    give_up: Callable[[], bool] = lambda: False,
) -> T:
    """Repeat an idempotent `call` until the database answers, waiting 0.1 s at first and 2 s at most.

    `give_up` is asked before each wait; when true the last error is raised. Only errors that mean "the server is
    away" are waited out.
    """
    delay = 0.1
    while True:
        try:
            return await call()
        except AWAY as error:
            if give_up():
                raise
            log.warning("database_away", what=what, error=type(error).__name__)
            await wait(delay)
            delay = min(delay * 2, 2.0)


async def close_pool(pool: asyncpg.Pool) -> None:
    """Close a pool within 2 s, whatever its connections are doing."""
    try:
        async with asyncio.timeout(2):
            await pool.close()
    except (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.PostgresError):
        with suppress(OSError, asyncpg.InterfaceError):
            pool.terminate()
