"""Moves sealed rows where they do not belong, as one who can write to the member database would, and tries them there.

Mail to one member with the values of another, or a reader who sees another's profile, is what it would come to. Each
swap is made, tried with the service's own keys, and undone.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg

from core import sql
from members.kek import KekProvider
from members.keyring import KeyRings
from members.vault import Vault

SQL = sql.load(__package__ or "", "swap.sql")

_SWAPS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("profiles", ("swap_profiles",)),
    ("member keys", ("swap_keys",)),
    ("profiles and keys together", ("swap_profiles", "swap_keys")),
)


class Swap(NamedTuple):
    """What was swapped between two members, and how many of the two opened afterwards."""

    what: str
    opened: int


async def swap_rows(owner: asyncpg.Pool, vault: asyncpg.Pool, kek: KekProvider) -> list[Swap]:
    """Try every swap between two members; empty if there are no two in any account."""
    row = await owner.fetchrow(SQL["two"])
    if row is None:
        return []
    account_id, members = row["account_id"], row["members"]
    reader = Vault(vault, KeyRings(vault, kek))
    if len(await reader.open_members(account_id, members)) != len(members):
        return []
    return [Swap(what, await _tried(owner, reader, account_id, members, statements)) for what, statements in _SWAPS]


async def _tried(
    owner: asyncpg.Pool, reader: Vault, account_id: UUID, members: Sequence[UUID], statements: Sequence[str]
) -> int:
    for statement in statements:
        await owner.execute(SQL[statement], members)
    try:
        return len(await reader.open_members(account_id, members))
    finally:
        for statement in statements:
            await owner.execute(SQL[statement], members)
