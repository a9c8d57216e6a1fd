"""A preview that opens members opens those of the next range while the database decides on the last, and no further."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg

from core.ids import IdSource
from members.audience import AudienceSource
from members.audience_range import AudienceRange
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.previews import PreviewStore
from tracking.engagement import MemberEngagement

MEMBERS, RANGE = 12, 5
PATIENCE = 10
"""Seconds after which a second range that never began is an error."""


class Watched(AudienceSource):
    """Holds the first range, once its members are opened, until those of the second are; counts ranges under way."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings, main: asyncpg.Pool) -> None:
        super().__init__(pool, rings, MemberEngagement(main))
        self.under_way = self.most = self.opened = 0
        self._second = asyncio.Event()

    @asynccontextmanager
    async def decided(self, *of: Any) -> AsyncIterator[AudienceRange]:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            async with super().decided(*of) as found:
                self.opened += 1
                if self.opened == 2:
                    self._second.set()
                async with asyncio.timeout(PATIENCE):
                    await self._second.wait()
                yield found
        finally:
            self.under_way -= 1


async def test_two_ranges_of_a_preview_overlap_and_never_three(
    vault: asyncpg.Pool, main: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource
) -> None:
    members, consent = MemberStore(vault, rings, new_id), Consent("form", datetime(2026, 11, 27, tzinfo=UTC))
    for number in range(MEMBERS):
        await members.create(account, f"m{number}@example.jp", {"name": f"Jo {number}"}, consent=consent)
    source = Watched(vault, rings, main)
    previews, preview_id = PreviewStore(vault, rings, source), new_id()
    await previews.begin(account, preview_id, await source.of_rule(account, {"attribute": "name", "contains": "jo"}))
    await previews.run(account, preview_id, lambda: True, size=RANGE)
    made = await previews.get(account, preview_id)
    assert (made.state, made.found.count.matching) == ("finished", MEMBERS)
    assert (source.opened, source.most, source.under_way) == (3, 2, 0)
