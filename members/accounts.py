"""What a new account needs in the vault before its first member: a key ring and the built-in attributes."""

from collections.abc import Callable
from uuid import UUID

import asyncpg

from members.attributes import AttributeStore
from members.kek import KekProvider
from members.keyring import KeyRings, create_ring


async def open_account(pool: asyncpg.Pool, kek: KekProvider, account_id: UUID, new_id: Callable[[], UUID]) -> None:
    """Make the account's ring and the attributes that every account has. Idempotent."""
    await create_ring(pool, kek, account_id)
    # A process that may only read keys is not to find it missing.
    await KeyRings(pool, kek).destination_key()
    await AttributeStore(pool, new_id).define_built_in(account_id)
