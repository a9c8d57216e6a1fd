"""The vault's reading side: open members by id for sending, find one by address.

What can't be opened in a batch (altered, moved, its key gone) is counted and left out; mail to the others goes on.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg
from prometheus_client import Counter

from core import sql
from core.errors import Tampered
from members import new_address
from members.addresses import parse
from members.keyring import KeyRings, Ring
from members.member import Tracking
from members.profile import Profile, Value, load

SQL = sql.load(__package__ or "", "vault.sql")

UNREADABLE = Counter("todoku_vault_unreadable_members", "Members left out of a batch because they could not be opened")


class OpenMember(NamedTuple):
    """A member as a worker needs it: where to send, what to fill in, by attribute key, and what may be noted."""

    member_id: UUID
    address: str
    values: dict[str, Value]
    tracking: Tracking = "full"

    def __repr__(self) -> str:
        """Name the id alone: a repr ends up in logs."""
        return f"OpenMember({self.member_id})"


class Vault:
    """Opens members of any account whose ring `rings` can open."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self._pool = pool
        self._rings = rings

    async def open_members(self, account_id: UUID, member_ids: Sequence[UUID]) -> list[OpenMember]:
        """Open members in one read, in no order; those that are gone or unreadable are absent."""
        rows = await self._pool.fetch(SQL["open_members"], account_id, member_ids)
        ring = await ring_for(self._rings, account_id, {row["ring_version"] for row in rows})
        opened, open_bytes = [], ring.opener().open_bytes
        for member_id, sealed, ring_version, wrapped, tracking in rows:
            try:
                address, values = load(open_bytes(member_id.bytes, sealed, ring_version, wrapped))
            except Tampered:
                UNREADABLE.inc()
            else:
                opened.append(OpenMember(member_id, address, values, tracking))
        return opened

    async def open_new_addresses(self, account_id: UUID, member_ids: Sequence[UUID]) -> list[OpenMember]:
        """Return those of the members who want to have another address, with that one and no values."""
        ring = await self._rings.ring(account_id)
        found = await new_address.proposed(self._pool, ring, member_ids)
        return [OpenMember(member_id, address, {}) for member_id, address in found.items()]

    async def unreadable(self, account_id: UUID, left_out: Sequence[UUID]) -> set[UUID]:
        """Return those of the members absent from `open_members` that are there and can't be opened."""
        return {row["member_id"] for row in await self._pool.fetch(SQL["still_there"], account_id, left_out)}

    async def destination_digest(self, account_id: UUID, text: str) -> bytes:
        """Return 16 bytes that stand for a destination of mail, the same in all accounts, by the installation's key."""
        ring = await self._rings.ring(account_id)
        return ring.destination.digest(text.encode())[:16]

    async def find(self, account_id: UUID, address: str) -> UUID | None:
        """Return the id of the member with this address, None if there is none; raise BadAddress."""
        ring = await self._rings.ring(account_id)
        index = ring.hashes(parse(address).key).lookup
        versions, digests = [version for version, _ in index], [digest for _, digest in index]
        found: UUID | None = await self._pool.fetchval(SQL["find"], account_id, versions, digests)
        return found


def open_row(ring: Ring, row: asyncpg.Record) -> Profile:
    """Open a row with member_id, sealed, ring_version, wrapped; raise Tampered."""
    opened = ring.opener().open_bytes(row["member_id"].bytes, row["sealed"], row["ring_version"], row["wrapped"])
    return load(opened)


def open_key(ring: Ring, row: asyncpg.Record) -> bytes:
    """Open the member's own key of a row with member_id, ring_version, wrapped; raise Tampered."""
    return ring.opener().open_key(row["member_id"].bytes, row["ring_version"], row["wrapped"])


async def ring_for(rings: KeyRings, account_id: UUID, versions: set[int]) -> Ring:
    """Return the account's ring, read anew if a version is met that it does not hold yet."""
    ring = await rings.ring(account_id)
    return ring if versions <= ring.sealing.keys() else await rings.reload(account_id)
