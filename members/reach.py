"""Where a letter to a member would go, and what speaks against mail to them: ids, tags and reasons alone."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "reach.sql")


class Reached(NamedTuple):
    """A member's destination tag, locale (`ja`, where it is kept open), and what speaks against mail, if anything."""

    tag: int
    locale: str | None
    reason: str | None


class MemberReach:
    """Asks the vault's one place that says who is sent to; `vault` is a pool of its role."""

    def __init__(self, vault: asyncpg.Pool) -> None:
        self._vault = vault

    async def of(
        self, account_id: UUID, member_ids: Sequence[UUID], *, to_new_address: bool = False
    ) -> Mapping[UUID, Reached]:
        """Return it of those of the members that are there. `to_new_address`: of the address that they want to have."""
        statement = SQL["at_new_address" if to_new_address else "at_address"]
        rows = await self._vault.fetch(statement, account_id, list(member_ids))
        return {row["member_id"]: Reached(row["tag"], row["locale"], row["reason"]) for row in rows}
