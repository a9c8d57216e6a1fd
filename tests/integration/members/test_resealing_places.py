"""Where the rows of members stand while they are re-sealed: most stay on their page, and none is taken for another."""

from uuid import UUID

import asyncpg
import pytest

from core.ids import IdSource
from members.bulk import BulkStore, Item
from members.keyring import KeyRings
from members.member import Consent
from members.resealing import run
from tests.support.resealing import House, meanwhile

MEMBERS = 400


async def pages(vault: asyncpg.Pool) -> dict[UUID, int]:
    """Return the page that each member's row stands on."""
    rows = await vault.fetch("SELECT member_id, (ctid::text::point)[0]::integer AS page FROM member")
    return {row["member_id"]: row["page"] for row in rows}


async def moved(house: House, vault: asyncpg.Pool) -> float:
    """Re-seal by a new seal key; return the share of members whose row went to another page."""
    before = await pages(vault)
    await house.renew("seal")
    await house.reseal()
    after = await pages(vault)
    return sum(page != after[member_id] for member_id, page in before.items()) / len(before)


async def test_of_full_pages_a_fifth_of_the_rows_moves_and_at_the_next_rotation_fewer(
    house: House, vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", MEMBERS // 10)
    items = [Item(f"m{number}@example.jp", {"plan": "p"}) for number in range(MEMBERS)]
    moment = await vault.fetchval("SELECT app.now()")
    await BulkStore(vault, rings, new_id).merge(house.account, items, consent=Consent("form", moment))
    first = await moved(house, vault)
    assert 0.1 < first < 0.35
    assert await moved(house, vault) < first / 3


async def test_a_member_whose_key_was_moved_meanwhile_is_met_again(
    house: House, vault: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = await house.filled(3)
    await house.renew("seal")

    async def change() -> None:
        await vault.execute("UPDATE keys.member_key SET wrapped = wrapped WHERE member_id = $1", ids[1])

    raced = meanwhile(monkeypatch, change)
    await house.reseal()
    assert raced
    assert await house.under() == ([2], [3])
    assert [(await house.members.get(house.account, one)).values["plan"] for one in ids] == ["p0", "p1", "p0"]
