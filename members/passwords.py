"""Members' passwords: argon2id (RFC 9106), as strong as zxcvbn asks for, compared in the same time for whoever asks.

A wrong password, an address without one and an address that nobody has cost one comparison each: where there is nothing
to compare with, a verifier of nothing is. How often somebody may try is the pages' affair (api/pages/limits.py).
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from core import sql
from members.addresses import parse
from members.connection import Connection
from members.errors import BadAddress
from members.keyring import KeyRings
from members.proven import Proof

SQL = sql.load(__package__ or "", "passwords.sql")

LEAST_CHARS = 10
MOST_CHARS = 128
LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: safely unguessable, 10^8 to 10^10 guesses."""

AT_ONCE = 2
"""Comparisons at a time in a process: each fills 64 MiB and a core for a good part of a second."""

_ESTIMATED = 72
"""zxcvbn takes long for long ones, and is sure of them anyway."""

Weakness = Literal["short", "long", "guessable"]


class Passwords:
    """Sets and compares passwords. `pool` is one of the role `todoku_pages`."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self._pool = pool
        self._rings = rings
        self._hasher = PasswordHasher()
        self._of_nothing = self._hasher.hash("nobody has this password")
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def compare(self, account_id: UUID, address: str, password: str) -> Proof | None:
        """Return whom address and password prove, None if they don't: in the same time whyever."""
        row = await self._found(account_id, address)
        verifier = row["verifier"] if row else self._of_nothing
        async with self._turn:
            fits = await asyncio.to_thread(self._fits, verifier, password[:MOST_CHARS])
        return Proof(account_id, row["member_id"]) if row and fits else None

    async def owner(self, account_id: UUID, address: str) -> UUID | None:
        """Return which member an address and its password are of, None where there is no password."""
        row = await self._found(account_id, address)
        return row["member_id"] if row else None

    async def _found(self, account_id: UUID, address: str) -> asyncpg.Record | None:
        try:
            key = parse(address).key
        except BadAddress:
            return None
        index = (await self._rings.ring(account_id)).hashes(key).lookup
        versions, hashes = [version for version, _ in index], [digest for _, digest in index]
        return await self._pool.fetchrow(SQL["find"], account_id, versions, hashes)

    async def set(self, connection: Connection, proof: Proof, password: str) -> None:
        """Set a member's password within a proof; it is known to be strong (`weakness`)."""
        async with self._turn:
            verifier = await asyncio.to_thread(self._hasher.hash, password)
        await connection.execute(SQL["set"], proof.account_id, proof.member_id, verifier)

    def _fits(self, verifier: str, password: str) -> bool:
        try:
            return self._hasher.verify(verifier, password)
        except (VerificationError, InvalidHashError):
            return False


def weakness(password: str, known: Sequence[str]) -> Weakness | None:
    """Say what is weak of a password, None for a strong one. `known`: what others know of its owner."""
    if len(password) < LEAST_CHARS:
        return "short"
    if len(password) > MOST_CHARS:
        return "long"
    judged = zxcvbn(password[:_ESTIMATED], user_inputs=list(known))
    return None if judged["score"] >= LEAST_SCORE else "guessable"


async def since(connection: Connection, proof: Proof) -> datetime | None:
    """Return when the member's password was set, None without one."""
    found: datetime | None = await connection.fetchval(SQL["since"], proof.account_id, proof.member_id)
    return found


async def remove(connection: Connection, proof: Proof) -> None:
    """Take the password away: signing in is by mailed links again."""
    await connection.execute(SQL["remove"], proof.account_id, proof.member_id)
