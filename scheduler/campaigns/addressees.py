"""Who of a few named members may get a test: the same rule as for an audience, asked of the vault."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "addressees.sql")


class VaultAddressees:
    """Reads ids and destination tags alone; `vault` is a pool of the vault's role."""

    def __init__(self, vault: asyncpg.Pool) -> None:
        self._vault = vault

    async def tags(self, account_id: UUID, member_ids: Sequence[UUID]) -> Mapping[UUID, int]:
        """Return the destination tags of those of `member_ids` that may be sent to; the others are left out."""
        rows = await self._vault.fetch(SQL["tags"], account_id, list(member_ids))
        return {row["member_id"]: row["tag"] for row in rows}
