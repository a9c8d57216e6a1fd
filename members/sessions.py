"""Sessions of members who have signed in: kept as a hash of what the cookie holds, listed and ended by the member."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import asyncpg

from core import sql
from members.connection import Connection
from members.proven import Proof

SQL = sql.load(__package__ or "", "sessions.sql")

LIFETIME_SECONDS = 14 * 86_400.0
MOST = 20
"""How many a member has at once; the oldest goes first."""

_BYTES = 32
_CHARS = 43


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its member sees it."""

    session_id: UUID
    created_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Signed:
    """Whom a cookie proves, and by which session."""

    proof: Proof
    session_id: UUID


async def begin(connection: Connection, proof: Proof, session_id: UUID, random: Callable[[int], bytes]) -> str:
    """Begin a session within a proof; return what the cookie holds, which is kept nowhere."""
    secret = random(_BYTES)
    await connection.execute(
        SQL["begin"], session_id, proof.account_id, proof.member_id, sha256(secret).digest(), LIFETIME_SECONDS
    )
    await connection.execute(SQL["tidy"], proof.account_id, proof.member_id, MOST)
    return urlsafe_b64encode(secret).decode().rstrip("=")


async def find(pool: asyncpg.Pool, cookie: str) -> Signed | None:
    """Return whom a cookie proves, None for one that is not ours, is ended, or whose time is over."""
    if len(cookie) != _CHARS:
        return None
    try:
        secret = urlsafe_b64decode(cookie.encode("ascii") + b"=")
    except (ValueError, NotBase64):
        return None
    row = await pool.fetchrow(SQL["find"], sha256(secret).digest())
    return None if row is None else Signed(Proof(row["account_id"], row["member_id"]), row["session_id"])


async def listed(connection: Connection, proof: Proof) -> list[Session]:
    """Return a member's sessions, the one last seen first."""
    return [Session(**row) for row in await connection.fetch(SQL["list"], proof.account_id, proof.member_id)]


async def end(connection: Connection, proof: Proof, session_id: UUID) -> None:
    """End one of a member's sessions. Idempotent."""
    await connection.execute(SQL["end"], proof.account_id, proof.member_id, session_id)


async def end_others(connection: Connection, proof: Proof, session_id: UUID) -> None:
    """End all of a member's sessions but this one."""
    await connection.execute(SQL["end_others"], proof.account_id, proof.member_id, session_id)
