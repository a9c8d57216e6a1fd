from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.errors import ConfigurationError, NotFound, Tampered
from core.ids import IdSource
from deploy.theft.net import Net
from deploy.theft.spellings import spellings
from members.attributes import AttributeStore
from members.imports import ImportStore, run_import
from members.kek import Kek
from members.keyring import KeyRings, create_ring
from members.member import Consent
from members.members import MemberStore
from members.suppressions import SuppressionStore

SECRETS = ("kenzaburo.secret@example.jp", "reject.secret@example", "大江健三郎", "Kenzaburo-Plan")


async def test_a_known_address_is_in_no_table_of_the_vault_in_any_form(
    vault: asyncpg.Pool, vault_owner: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock
) -> None:
    await AttributeStore(vault, new_id).define(account, "plan", "text", protection="matchable")
    members = MemberStore(vault, rings, new_id)
    consent = Consent("form", clock.now())
    await members.create(account, SECRETS[0], {"name": SECRETS[2], "plan": SECRETS[3]}, consent=consent)
    await SuppressionStore(vault, rings).add(account, "other-" + SECRETS[0])
    store = ImportStore(vault, rings, new_id)
    file = f"email,name,plan\nx{SECRETS[0]},{SECRETS[2]},{SECRETS[3]}\n{SECRETS[1]},{SECRETS[2]},\n".encode()
    waiting, finished = await store.begin(account), await store.begin(account)
    for import_id in (waiting, finished):
        await store.add_block(account, import_id, 0, file)
        await store.submit(account, import_id, {}, "form")
    await run_import(vault, rings, finished, new_id, clock, lambda: True)
    assert (await store.get(account, finished)).rejected == 1

    tables = await vault_owner.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname IN ('public', 'keys', 'app')"
    )
    dump = ""
    for table in tables:
        rows = await vault_owner.fetch(f"SELECT t::text FROM {table['name']} AS t")
        dump += "\n".join(row[0] for row in rows)
    assert len(dump) > 1000
    secrets = {*SECRETS, *(secret.partition("@")[0] for secret in SECRETS)}
    net = Net(pattern for secret in secrets for pattern in spellings(secret))
    assert net.caught(dump.encode()) == set()


async def test_another_kek_opens_no_ring(vault: asyncpg.Pool, rings: KeyRings, account: UUID) -> None:
    await rings.ring(account)
    with pytest.raises(ConfigurationError):
        await KeyRings(vault, Kek(bytes(32))).ring(account)


async def test_a_key_moved_to_another_account_is_noticed(
    vault: asyncpg.Pool, vault_owner: asyncpg.Pool, kek: Kek, account: UUID, new_id: IdSource
) -> None:
    other = new_id()
    await create_ring(vault, kek, other)
    await vault_owner.execute(
        "UPDATE keys.ring r SET wrapped = o.wrapped FROM keys.ring o "
        "WHERE r.account_id = $1 AND o.account_id = $2 AND r.purpose = o.purpose",
        other,
        account,
    )
    rings = KeyRings(vault, kek)
    await rings.ring(account)
    with pytest.raises(Tampered):
        await rings.ring(other)


async def test_rings_are_made_once_and_missing_ones_are_not_there(
    vault: asyncpg.Pool, kek: Kek, account: UUID, new_id: IdSource
) -> None:
    before = await vault.fetch("SELECT wrapped FROM keys.ring ORDER BY purpose")
    await create_ring(vault, kek, account)
    assert await vault.fetch("SELECT wrapped FROM keys.ring ORDER BY purpose") == before
    with pytest.raises(NotFound):
        await KeyRings(vault, kek).ring(new_id())


async def test_all_processes_share_one_destination_key(vault: asyncpg.Pool, kek: Kek) -> None:
    one, two = KeyRings(vault, kek), KeyRings(vault, kek)
    assert await one.destination_key() == await two.destination_key()


async def test_an_altered_block_of_a_file_fails_the_import(
    vault: asyncpg.Pool, vault_owner: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock
) -> None:
    store = ImportStore(vault, rings, new_id)
    import_id = await store.begin(account)
    await store.add_block(account, import_id, 0, b"email\na@example.jp\n")
    await store.submit(account, import_id, {}, "form")
    await vault_owner.execute("UPDATE import_block SET sealed = set_byte(sealed, 20, 255 - get_byte(sealed, 20))")
    await run_import(vault, rings, import_id, new_id, clock, lambda: True)
    assert (await store.get(account, import_id)).state == "failed"
