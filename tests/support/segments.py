"""How many members a rule finds, for tests that ask nothing of the main database."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import asyncpg

from members.audience import AudienceSource
from members.keyring import KeyRings


class NoMail:
    """An engagement of nobody: no mail was ever sent."""

    async def campaigns(self, account_id: UUID, campaign_ids: Collection[UUID]) -> set[UUID]:
        return set()

    async def copy(self, *asked: object) -> None:
        raise AssertionError("nothing was to be asked of the main database")


async def matching(pool: asyncpg.Pool, rings: KeyRings, account_id: UUID, rule: dict[str, Any]) -> int:
    source = AudienceSource(pool, rings, NoMail())
    audience, upper = await source.of_rule(account_id, rule), await source.upper(account_id)
    if upper is None:
        return 0
    async with source.decided(account_id, audience, None, upper) as found:
        return sum((await found.totals()).values())
