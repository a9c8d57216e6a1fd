"""Many members in one call: the same merge as an import's, an outcome for each."""

from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from core.errors import InvalidInput
from core.ids import IdSource
from members.bulk import MAX_MEMBERS, BulkStore, Item, Outcome
from members.groups import GroupStore
from members.imports.merge import Merge
from members.keyring import KeyRings
from members.member import Consent
from members.suppressions import SuppressionStore
from tests.support.imports import Imports

CONSENT = Consent("2026-form", datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def bulk(vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> BulkStore:
    return BulkStore(vault, rings, new_id)


def told(outcomes: list[Outcome]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(one.state, [(fault.pointer, fault.code) for fault in one.faults]) for one in outcomes]


async def test_each_member_gets_its_outcome(
    bulk: BulkStore, imports: Imports, account: UUID, rings: KeyRings, vault: asyncpg.Pool
) -> None:
    await imports.through(b"email,name,age\nold@example.jp,O,1\nsame@example.jp,S,2\n")
    await SuppressionStore(vault, rings).add(account, "never@example.jp")
    outcomes = await bulk.merge(
        account,
        [
            Item("new@example.jp", {"name": "N"}),
            Item("old@example.jp", {"name": "changed", "age": None}),
            Item("SAME@example.jp", {"name": "S"}),
            Item("bad", {"age": "x", "shoe": 1}),
            Item("never@example.jp", {}),
            Item("new@example.jp", {"name": "again"}),
            Item("last@example.jp", {}),
        ],
        consent=CONSENT,
    )
    assert told(outcomes) == [
        ("created", []),
        ("updated", []),
        ("unchanged", []),
        (
            "rejected",
            [
                ("/email", "bad-address"),
                ("/attributes/age", "wrong-value"),
                ("/attributes/shoe", "unknown-attribute"),
            ],
        ),
        ("rejected", [("/email", "suppressed")]),
        ("rejected", [("/email", "duplicate")]),
        ("created", []),
    ]
    for outcome, address in ((outcomes[0], "new@example.jp"), (outcomes[6], "last@example.jp")):
        assert outcome.member_id == (await imports.members.by_address(account, address)).member_id
    assert (await imports.members.by_address(account, "old@example.jp")).values == {"name": "changed"}
    made = outcomes[0].member_id
    assert made is not None
    assert [record.source for record in await imports.members.consents(account, made)] == ["2026-form"]


async def test_modes_and_groups_are_those_of_an_import(
    bulk: BulkStore, imports: Imports, account: UUID, new_id: IdSource
) -> None:
    group = await GroupStore(imports.pool, new_id).create(account, "Shop")
    items = [Item("a@example.jp", {"name": "A", "age": 1})]
    assert told(await bulk.merge(account, items, mode="update")) == [("rejected", [("/email", "not-found")])]
    await bulk.merge(account, items, consent=CONSENT, groups=[group.group_id])
    replaced = await bulk.merge(account, [Item("a@example.jp", {"name": "B"})], mode="replace", consent=CONSENT)
    assert replaced[0].state == "updated"
    member = await imports.members.by_address(account, "a@example.jp")
    assert (member.values, member.groups) == ({"name": "B"}, (group.group_id,))
    added = await bulk.merge(account, [Item("a@example.jp", {"name": "C"})], mode="add", consent=CONSENT)
    assert added[0].state == "unchanged"


async def test_a_call_that_is_wrong_as_a_whole_changes_nothing(
    bulk: BulkStore, account: UUID, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await bulk.merge(account, [Item("a@example.jp", {})] * (MAX_MEMBERS + 1))
    assert {fault.pointer for fault in caught.value.faults} == {"/members", "/consent"}
    with pytest.raises(InvalidInput):
        await bulk.merge(account, [Item("a@example.jp", {})], consent=CONSENT, groups=[new_id()])
    assert await vault.fetchval("SELECT count(*) FROM member") == 0


async def test_a_member_that_appears_meanwhile_is_met_not_doubled(
    bulk: BulkStore, imports: Imports, account: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, raced = Merge.look, False

    async def racing(self: Merge, pool: asyncpg.Pool, rows: object) -> object:
        nonlocal raced
        standing = await look(self, pool, rows)  # type: ignore[arg-type]
        if not raced:
            raced = True
            await imports.members.create(account, "race@example.jp", {"name": "form"})
        return standing

    monkeypatch.setattr(Merge, "look", racing)
    items = [Item("race@example.jp", {"name": "call"}), Item("other@example.jp", {})]
    assert [one.state for one in await bulk.merge(account, items, consent=CONSENT)] == ["updated", "created"]
