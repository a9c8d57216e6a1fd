"""The suppression list: addresses and domains that get no mail, known by keyed hash alone, so that it outlives erasure.

A hash of 32 bytes stands for an address, under the account's suppression key; one of 8 bytes for a domain, as its
destination tag. Each entry has a scope: `all` of the account's mail, one topic's, or
`global`, which the installation's operator alone sets and lifts (members/global_suppressions.py).
"""

import binascii
from base64 import b64decode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, Fault, InvalidInput, NotFound
from members.addresses import parse, parse_domain
from members.keyring import KeyRings
from members.scopes import ALL, GLOBAL
from members.writing import domain_hash

SQL = sql.load(__package__ or "", "suppressions.sql")

Reason = Literal["unsubscribed", "bounced", "complained", "erased", "manual"]
ADDRESS_BYTES = 32
DOMAIN_BYTES = 8
MAX_PAGE = 500

_MEMBERS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Suppression:
    """One entry, listed and removed by `hash` (32 bytes for an address, 8 for a domain) and `scope`."""

    hash: bytes
    scope: str
    reason: Reason
    occurred_at: datetime


class Stop(NamedTuple):
    """A stop on its way from the main database into the vault."""

    account_id: UUID
    member_id: UUID
    reason: Reason
    occurred_at: datetime
    scope: str = ALL


class SuppressionStore:
    """Suppressions by account."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self._pool = pool
        self._rings = rings

    async def add(
        self,
        account_id: UUID,
        address: str,
        reason: Reason = "manual",
        occurred_at: datetime | None = None,
        *,
        scope: str = ALL,
    ) -> Suppression:
        """Suppress an address, of a member or not (now, unless `occurred_at` says when); raise BadAddress.

        An address that is suppressed already in this scope keeps its first reason.
        """
        return await self.add_hash(account_id, await self.of_address(account_id, address), reason, occurred_at, scope)

    async def add_hash(
        self, account_id: UUID, digest: bytes, reason: Reason, occurred_at: datetime | None = None, scope: str = ALL
    ) -> Suppression:
        """Suppress what a hash stands for, as `add` does."""
        await self._pool.execute(SQL["add"], account_id, digest, scope, reason, occurred_at)
        return await self.get(account_id, digest, scope)

    async def get(self, account_id: UUID, digest: bytes, scope: str = ALL) -> Suppression:
        """Return the entry of a hash; raise NotFound."""
        row = await self._pool.fetchrow(SQL["get"], account_id, digest, scope)
        if row is None:
            raise NotFound("No such suppression")
        return Suppression(**row)

    async def find(self, account_id: UUID, address: str) -> Suppression | None:
        """Return the entry of an address for all mail, None if there is none; raise BadAddress."""
        row = await self._pool.fetchrow(SQL["get"], account_id, await self.of_address(account_id, address), ALL)
        return None if row is None else Suppression(**row)

    async def list(
        self,
        account_id: UUID,
        *,
        after: tuple[bytes, str] | None = None,
        limit: int = 100,
        scope: str | None = None,
        reason: Reason | None = None,
    ) -> tuple[list[Suppression], tuple[bytes, str] | None]:
        """Return up to `limit` (≤ 500) entries by hash and scope after the cursor, and the next cursor or None."""
        limit = max(1, min(limit, MAX_PAGE))
        digest, last_scope = after or (b"", "")
        rows = await self._pool.fetch(SQL["list"], account_id, digest, last_scope, limit + 1, scope, reason)
        items = [Suppression(**row) for row in rows[:limit]]
        return items, (items[-1].hash, items[-1].scope) if len(rows) > limit else None

    async def members_of(
        self, account_id: UUID, digests: Sequence[bytes], scope: str = ALL
    ) -> AsyncIterator[Sequence[UUID]]:
        """Give out, in parts, the members whom these entries of one scope alone keep from its mail.

        Who is suppressed in it by another entry too, as by the own address and by the domain, is not among them.
        """
        addresses = [digest for digest in digests if len(digest) == ADDRESS_BYTES]
        tags = [int.from_bytes(digest, "big", signed=True) for digest in digests if len(digest) == DOMAIN_BYTES]
        after = UUID(int=0)
        while rows := await self._pool.fetch(
            SQL["members_of"], account_id, addresses, tags, list(digests), after, _MEMBERS_AT_ONCE, scope
        ):
            found = [row["member_id"] for row in rows]
            yield found
            after = found[-1]

    async def remove(self, account_id: UUID, digest: bytes, scope: str = ALL) -> None:
        """Take an entry off the list; raise NotFound, or Conflict for the operator's.

        A member who left stays so until consenting again; one who bounced is what the last word on consent says.
        """
        if scope == GLOBAL:
            raise Conflict("The installation's operator suppresses this address: only the operator can lift it")
        async with self._pool.acquire() as connection, connection.transaction():
            reason = await connection.fetchval(SQL["remove"], account_id, digest, scope)
            if reason is None:
                raise NotFound("No such suppression")
            if reason == "bounced" and scope == ALL:
                await connection.execute(SQL["revive"], account_id, digest)

    async def of_address(self, account_id: UUID, address: str) -> bytes:
        """Return the hash that stands for an address in this account; raise BadAddress."""
        ring = await self._rings.ring(account_id)
        return ring.suppression.digest(parse(address).key)

    async def of_domain(self, account_id: UUID, domain: str) -> bytes:
        """Return the hash that stands for a domain; raise BadAddress."""
        ring = await self._rings.ring(account_id)
        return domain_hash(ring.tag(parse_domain(domain)))


def read_hash(text: str) -> bytes:
    """Read a hash in hexadecimal or base64 digits: 32 bytes for an address, 8 for a domain; raise InvalidInput."""
    try:
        digest = bytes.fromhex(text) if len(text) in {2 * ADDRESS_BYTES, 2 * DOMAIN_BYTES} else _from_base64(text)
    except (ValueError, binascii.Error):
        digest = b""
    if len(digest) not in {ADDRESS_BYTES, DOMAIN_BYTES}:
        detail = f"{ADDRESS_BYTES} bytes for an address, {DOMAIN_BYTES} for a domain, in hexadecimal or base64"
        raise InvalidInput("The hash can't be read", [Fault("/hash", "bad-hash", detail)])
    return digest


def _from_base64(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


async def carry_stops(pool: asyncpg.Pool, stops: Sequence[Stop]) -> int:
    """Carry stops into the consent ledger, the suppression list and topics; return how many were new.

    For the scheduler's role, which may do nothing else here. Idempotent; a consent given more than 5 s after a stop
    outlives it.
    """
    carried: int = await pool.fetchval(
        SQL["carry"],
        [stop.account_id for stop in stops],
        [stop.member_id for stop in stops],
        [stop.scope for stop in stops],
        [stop.reason for stop in stops],
        [stop.occurred_at for stop in stops],
    )
    return carried
