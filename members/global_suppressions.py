"""What the installation's operator suppresses in every account: addresses, by an HMAC under the installation's own key.

Adding one also adds an entry of the scope `global` to the list of each account that there is: audiences ask their own
account's list alone. Accounts that are made later have no such entry, so whoever creates or imports members asks here
too, as long as there is anything here.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Literal
from uuid import UUID

import asyncpg

from core import sql
from members.addresses import parse
from members.connection import Connection
from members.errors import Suppressed
from members.keyring import KeyRings
from members.scopes import GLOBAL

SQL = sql.load(__package__ or "", "global_suppressions.sql")

Reason = Literal["manual", "unsubscribed", "bounced", "complained"]
REASONS: tuple[Reason, ...] = ("manual", "unsubscribed", "bounced", "complained")


async def refuse_everywhere(connection: Connection, rings: KeyRings, key: bytes) -> None:
    """Raise Suppressed if the operator suppresses this address (its normalised form)."""
    if await suppressed_everywhere(connection, rings, [key]):
        raise Suppressed("The address is on the suppression list: the installation's operator put it there")


async def suppressed_everywhere(connection: Connection, rings: KeyRings, keys: Sequence[bytes]) -> set[bytes]:
    """Return which of these addresses (normalised) the operator suppresses; one small read while that is nobody."""
    if not keys or not await connection.fetchval(SQL["any"]):
        return set()
    everywhere = await rings.everywhere()
    by_hash = {everywhere.digest(key): key for key in keys}
    return {by_hash[row["hash"]] for row in await connection.fetch(SQL["of"], list(by_hash))}


class GlobalSuppressions:
    """The operator's list."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings) -> None:
        self._pool = pool
        self._rings = rings

    async def add(self, addresses: Sequence[str], reason: Reason = "manual") -> AsyncIterator[tuple[UUID, list[UUID]]]:
        """Suppress addresses in all accounts; give out, account by account, the members that have them.

        What is suppressed already keeps its first reason. May be repeated. BadAddress comes before anything is written.
        """
        keys = [parse(address).key for address in addresses]
        everywhere = await self._rings.everywhere()
        # This list first: an account that is made meanwhile asks it.
        await self._pool.execute(SQL["add"], [everywhere.digest(key) for key in keys], reason)
        for account_id, digests in await self._by_account(keys):
            await self._pool.execute(SQL["add_to_account"], account_id, digests, reason, GLOBAL)
            rows = await self._pool.fetch(SQL["members"], account_id, digests)
            yield account_id, [row["member_id"] for row in rows]

    async def remove(self, addresses: Sequence[str]) -> int:
        """Take addresses off this list and each account's; return how many were on it. Raises BadAddress.

        What an account suppresses by itself stays, and so does who left.
        """
        keys = [parse(address).key for address in addresses]
        everywhere = await self._rings.everywhere()
        for account_id, digests in await self._by_account(keys):
            await self._pool.execute(SQL["remove_from_account"], account_id, digests, GLOBAL)
        removed = await self._pool.fetch(SQL["remove"], [everywhere.digest(key) for key in keys])
        return len(removed)

    async def counts(self) -> dict[str, int]:
        """Return how many addresses are suppressed, by reason."""
        return {row["reason"]: row["total"] for row in await self._pool.fetch(SQL["counts"])}

    async def _by_account(self, keys: Sequence[bytes]) -> list[tuple[UUID, list[bytes]]]:
        accounts = [row["account_id"] for row in await self._pool.fetch(SQL["accounts"])]
        rings = [await self._rings.ring(account_id) for account_id in accounts]
        return [(ring.account_id, [ring.suppression.digest(key) for key in keys]) for ring in rings]
