"""The one member that a token or a session has proven, as the members' own pages open it.

The pages' role sees no row of the vault until a proof names a member for the transaction; then it sees that member's
and no other's (row security, core/schema/members/0012_proven_member.sql). So the stores that everybody uses work for
the pages as they are, and a forgotten WHERE shows nothing. A process that was taken over could name any member whose id
it knew: that ids can't be listed is the main database's part (docs/security.md).

Whatever is done within one proof commits whole or leaves no trace.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound
from members.connection import Lent
from members.keyring import KeyRings
from members.members import MemberStore
from members.vault import Vault

SQL = sql.load(__package__ or "", "proven.sql")


@dataclass(frozen=True, slots=True)
class Proof:
    """Whom a token or a session was given to. Made by who has checked one."""

    account_id: UUID
    member_id: UUID


@dataclass(frozen=True, slots=True)
class Proven:
    """The vault as one member's proof opens it, until the transaction ends."""

    proof: Proof
    connection: Lent
    members: MemberStore
    vault: Vault
    rings: KeyRings


class ProvenMembers:
    """Opens proven members. `pool` is one of the role `todoku_pages`; `rings` reads keys by a pool of its own.

    (A request that held one connection and waited for a second would wait for others that do the same.)
    """

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings, new_id: Callable[[], UUID]) -> None:
        self._pool = pool
        self._rings = rings
        self._new_id = new_id

    @asynccontextmanager
    async def opened(self, proof: Proof) -> AsyncIterator[Proven]:
        """Open a transaction that sees this member alone; raise NotFound if there is no such member (any more)."""
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["prove"], proof.account_id, proof.member_id)
            if await connection.fetchrow(SQL["note_hashes"], proof.account_id, proof.member_id) is None:
                raise NotFound("No such member")
            lending = _lending(connection)
            yield Proven(
                proof,
                connection,
                MemberStore(lending, self._rings, self._new_id),
                Vault(lending, self._rings),
                self._rings,
            )


def _lending(connection: Lent) -> asyncpg.Pool:
    """Return what stores take for a pool, and which lends them this one connection: their transactions nest in its."""
    return cast("asyncpg.Pool", _OneConnection(connection))


class _OneConnection:
    def __init__(self, connection: Lent) -> None:
        self._connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def acquire(self) -> AbstractAsyncContextManager[Lent]:
        return nullcontext(self._connection)
