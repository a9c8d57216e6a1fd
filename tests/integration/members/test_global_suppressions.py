from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.errors import Conflict
from core.ids import IdSource
from members.accounts import open_account
from members.errors import BadAddress, Suppressed
from members.global_suppressions import GlobalSuppressions
from members.imports import ImportStore, run_import
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.scopes import GLOBAL
from members.suppression_lists import SuppressionLists
from members.suppressions import SuppressionStore
from tests.support.audiences import reached

ANGRY = "angry@example.jp"


@pytest.fixture
def everywhere(vault: asyncpg.Pool, rings: KeyRings) -> GlobalSuppressions:
    return GlobalSuppressions(vault, rings)


async def added(everywhere: GlobalSuppressions, *addresses: str) -> dict[UUID, list[UUID]]:
    return {account_id: found async for account_id, found in everywhere.add(addresses, "complained")}


async def test_what_the_operator_suppresses_gets_no_mail_in_any_account_and_no_account_lifts_it(
    everywhere: GlobalSuppressions,
    members: MemberStore,
    account: UUID,
    consent: Consent,
    vault: asyncpg.Pool,
    rings: KeyRings,
) -> None:
    made = await members.create(account, ANGRY, consent=consent)
    await members.create(account, "taro@example.jp", consent=consent)
    assert await added(everywhere, "ANGRY@example.jp", "nobody@example.jp") == {account: [made.member_id]}
    assert (await reached(vault, rings, account))[0].left_out == {"complained": 1}
    store = SuppressionStore(vault, rings)
    entries = (await store.list(account))[0]
    assert {entry.scope for entry in entries} == {GLOBAL}
    with pytest.raises(Conflict):
        await store.remove(account, entries[0].hash, GLOBAL)
    with pytest.raises(Suppressed):
        await members.create(account, "nobody@example.jp", consent=consent)
    assert await everywhere.counts() == {"complained": 2}


async def test_an_account_that_is_made_later_takes_the_address_neither_by_hand_nor_by_a_file(
    everywhere: GlobalSuppressions,
    members: MemberStore,
    account: UUID,
    consent: Consent,
    vault: asyncpg.Pool,
    rings: KeyRings,
    kek: Kek,
    new_id: IdSource,
    clock: Clock,
) -> None:
    await added(everywhere, ANGRY)
    later = new_id()
    await open_account(vault, kek, later, new_id)
    with pytest.raises(Suppressed):
        await members.create(later, ANGRY, consent=consent)
    made = await members.create(later, "taro@example.jp", consent=consent)
    with pytest.raises(Suppressed):
        await members.change(later, made.member_id, 1, address=ANGRY)
    imports = ImportStore(vault, rings, new_id)
    import_id = await imports.begin(later)
    await imports.add_block(later, import_id, 0, f"email\n{ANGRY}\nhanako@example.jp\n".encode())
    await imports.submit(later, import_id, {}, "form")
    await run_import(vault, rings, import_id, new_id, clock, lambda: True)
    done = await imports.get(later, import_id)
    assert (done.created, done.rejected) == (1, 1)


async def test_lifting_it_leaves_what_an_account_suppresses_by_itself(
    everywhere: GlobalSuppressions,
    members: MemberStore,
    account: UUID,
    consent: Consent,
    vault: asyncpg.Pool,
    rings: KeyRings,
) -> None:
    store = SuppressionStore(vault, rings)
    await store.add(account, ANGRY)
    for _ in range(2):
        await added(everywhere, ANGRY, "other@example.jp")
    given_out = b"".join([part async for part in SuppressionLists(vault, store).give_out(account)])
    assert given_out.count(b"\r\n") == 2
    assert await everywhere.remove([ANGRY, "other@example.jp"]) == 2
    assert await everywhere.remove([ANGRY]) == 0
    assert [entry.scope for entry in (await store.list(account))[0]] == ["all"]
    assert (await members.create(account, "other@example.jp", consent=consent)).status == "active"


async def test_one_bad_address_of_many_changes_nothing(everywhere: GlobalSuppressions, vault: asyncpg.Pool) -> None:
    with pytest.raises(BadAddress):
        await added(everywhere, ANGRY, "angry")
    assert await vault.fetchval("SELECT count(*) FROM global_suppression") == 0
    assert await vault.fetchval("SELECT count(*) FROM suppression") == 0


async def test_an_address_stands_nowhere_in_plain_and_differs_by_account(
    everywhere: GlobalSuppressions, vault: asyncpg.Pool, account: UUID, kek: Kek, new_id: IdSource
) -> None:
    await open_account(vault, kek, new_id(), new_id)
    await added(everywhere, ANGRY)
    hashes = {row["hash"] for row in await vault.fetch("SELECT hash FROM suppression")}
    hashes |= {row["hash"] for row in await vault.fetch("SELECT hash FROM global_suppression")}
    assert len(hashes) == 3
