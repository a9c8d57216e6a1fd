"""The fence between those who write members and those who change keys or protections.

Whoever seals or indexes made their rows by a ring and definitions that they had read: by one generation of the
account's keys. `hold_keys` holds that generation until the transaction ends, or raises Overtaken if it has passed.
Whoever changes a ring or a protection calls `move_on`, which waits for all who hold the present generation and lets
nobody in until the change is committed. So no row is ever made by a key or a protection that was given up before.
"""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound, Unavailable
from members.connection import Lent
from members.errors import Overtaken
from members.keyring import KeyRings, Ring

SQL = sql.load(__package__ or "", "fence.sql")

MAX_TRIES = 10
PATIENCE = "10s"
"""How long a change of keys waits for writes that are under way; as long may those wait that come after it."""

P = ParamSpec("P")
T = TypeVar("T")


async def hold_keys(connection: Lent, ring: Ring) -> None:
    """Hold the ring's generation until the transaction ends; raise Overtaken if keys or protections changed since.

    Definitions must have been read after the ring: then they are of its generation too, or newer, and refused.
    """
    if await connection.fetchval(SQL["hold"], ring.account_id, ring.generation) is None:
        raise Overtaken("The account's keys or a protection were just changed")


async def move_on(connection: Lent, account_id: UUID) -> int:
    """Begin the account's next generation in the caller's transaction, alone; return it.

    Raises Unavailable if a write under way takes longer than 10 s, NotFound if the account has no keys.
    """
    await connection.execute(SQL["be_patient"], PATIENCE)
    try:
        await connection.execute(SQL["close"])
    except asyncpg.LockNotAvailableError:
        raise Unavailable("Members are being written without a pause: try again") from None
    generation: int | None = await connection.fetchval(SQL["move_on"], account_id)
    if generation is None:
        raise NotFound("The account has no key ring")
    return generation


class _Store(Protocol):
    _rings: KeyRings


S = TypeVar("S", bound=_Store)


def unless_overtaken(
    write: Callable[Concatenate[S, UUID, P], Awaitable[T]],
) -> Callable[Concatenate[S, UUID, P], Awaitable[T]]:
    """Make a store's method, which takes the account first, begin anew when it is overtaken, with the ring read anew.

    So its callers never see a rotation. Overtaken ten times in a row it is raised: no change of keys is as frequent.
    """

    @wraps(write)
    async def again(store: S, account_id: UUID, /, *args: P.args, **kwargs: P.kwargs) -> T:
        for _ in range(MAX_TRIES - 1):
            try:
                return await write(store, account_id, *args, **kwargs)
            except Overtaken:
                await store._rings.reload(account_id)  # noqa: SLF001 - wraps the store's own methods
        return await write(store, account_id, *args, **kwargs)

    return again
