"""A member's change of address: asked for on their own page, done once both addresses have said yes.

The pages keep the address that is wanted, sealed (members/new_address.py), and have both addresses asked by letter.
They can't make the change, which concerns an address that is not the member's yet: whoever has the vault's role does.
"""

from collections.abc import Callable
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, NotFound, StaleRevision
from members import new_address
from members.addresses import parse
from members.keyring import KeyRings
from members.members import MemberStore
from members.proven import Proven
from members.sealing import NONCE_BYTES
from members.vault import open_key

SQL = sql.load(__package__ or "", "moving.sql")

_TRIES = 10


async def want(mine: Proven, address: str, change_id: UUID, random: Callable[[int], bytes]) -> None:
    """Keep the address that a proven member wants to have, instead of any other; raise BadAddress."""
    account_id, member_id = mine.proof.account_id, mine.proof.member_id
    parsed = parse(address)
    row = await mine.connection.fetchrow(SQL["key"], account_id, member_id)
    if row is None:
        raise NotFound("No such member")
    ring = await mine.rings.ring(account_id)
    key = open_key(ring, row)
    await new_address.propose(mine.connection, ring, member_id, key, parsed, nonce=random(NONCE_BYTES))
    await mine.connection.execute(SQL["name_change"], account_id, member_id, change_id)


class Moving:
    """Makes changes that both addresses have agreed to; `vault` is a pool of the vault's role."""

    def __init__(self, vault: asyncpg.Pool, rings: KeyRings, members: MemberStore) -> None:
        self._vault = vault
        self._rings = rings
        self._members = members

    async def move(self, account_id: UUID, member_id: UUID, change_id: UUID) -> bool:
        """Give a member the address that this change is about; return whether that was done.

        It is not where another change was asked for since, the member is gone, or the address is another's or
        suppressed by now. May be repeated.
        """
        if not await self._vault.fetchval(SQL["is_wanted"], account_id, member_id, change_id):
            return False
        wanted = await new_address.proposed(self._vault, await self._rings.ring(account_id), [member_id])
        address = wanted.get(member_id)
        moved = address is not None and await self._moved(account_id, member_id, address)
        await self.stay(account_id, member_id, change_id)
        return moved

    async def stay(self, account_id: UUID, member_id: UUID, change_id: UUID) -> None:
        """Forget the address that this change was about."""
        await self._vault.execute(SQL["forget"], account_id, member_id, change_id)

    async def _moved(self, account_id: UUID, member_id: UUID, address: str) -> bool:
        for _ in range(_TRIES):
            try:
                member = await self._members.get(account_id, member_id)
                await self._members.change(account_id, member_id, member.revision, address=address)
            except StaleRevision:
                continue
            except (Conflict, NotFound):
                return False
            return True
        return False
