"""An account whose members are brought over to new keys, indexes and attributes."""

import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.ids import IdSource
from members.attribute import Protection
from members.attributes import AttributeStore
from members.groups import GroupStore
from members.imports import ImportStore
from members.kek import Kek
from members.keyring import KeyRings
from members.members import MemberStore
from members.resealing import reseal, run
from members.resealing.rows import Lagging
from members.rotation import Purpose, Rotation
from tests.support.segments import matching


class House:
    """One account with its stores."""

    def __init__(self, pool: asyncpg.Pool, kek: Kek, rings: KeyRings, account: UUID, new_id: IdSource) -> None:
        self.pool, self.rings, self.account = pool, rings, account
        self.attributes = AttributeStore(pool, new_id)
        self.members = MemberStore(pool, rings, new_id)
        self.groups = GroupStore(pool, new_id)
        self.imports = ImportStore(pool, rings, new_id)
        self.rotation = Rotation(pool, kek, os.urandom)

    async def filled(self, number: int = 10) -> list[UUID]:
        made = [
            await self.members.create(self.account, f"m{n}@example.jp", {"name": f"人{n}", "plan": f"p{n % 2}"})
            for n in range(number)
        ]
        return [member.member_id for member in made]

    async def renew(self, *purposes: Purpose) -> None:
        for purpose in purposes:
            await self.rotation.add(self.account, purpose)
            await self.rotation.promote(self.account, purpose)

    async def reseal(self, alive: Any = lambda: True) -> None:
        await reseal(self.pool, self.rings, self.account, alive)

    async def protect(self, protection: Protection) -> None:
        plan = next(one for one in await self.attributes.list(self.account) if one.name == "plan")
        await self.attributes.change(self.account, plan.attribute_id, plan.revision, protection=protection)

    async def found(self, plan: str) -> int:
        return await matching(self.pool, self.rings, self.account, {"attribute": "plan", "equals": plan})

    async def under(self) -> tuple[list[int], list[int]]:
        sealing = await self.pool.fetchval("SELECT array_agg(DISTINCT ring_version) FROM keys.member_key")
        return sealing, await self.pool.fetchval("SELECT array_agg(DISTINCT generation) FROM member")


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[object]]) -> list[int]:
    """Have `act` done once, after the first batch was brought over and before it is written.

    The list that is returned then holds how many members that batch has.
    """
    renew, batches = run._Run._renew, list[int]()

    async def racing(self: run._Run, rows: Sequence[Lagging]) -> object:
        batch = await renew(self, rows)
        if not batches:
            batches.append(len(rows))
            await act()
        return batch

    monkeypatch.setattr(run._Run, "_renew", racing)
    return batches
