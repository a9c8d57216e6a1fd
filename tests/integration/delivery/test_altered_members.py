"""What becomes of a recipient whose row in the vault was altered or moved: left out with a reason, never lost."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.ids import IdSource
from core.ways_out import RelaySettings
from members.accounts import open_account
from members.kek import Kek
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.vault import UNREADABLE, Vault
from tests.support.delivery import Arranged, arrange_run, outcomes, running_worker, settled
from tests.support.mailbox import RunningMailbox, running_mailbox
from tracking.verify import verify

MEMBERS = 30

MOVES = {
    "sealed, to another member": "UPDATE member m SET sealed = o.sealed FROM member o "
    "WHERE m.member_id = $1 AND o.member_id = $2",
    "key, to another member": "UPDATE keys.member_key m SET wrapped = o.wrapped FROM keys.member_key o "
    "WHERE m.member_id = $1 AND o.member_id = $2",
    "key into the profile's column": "UPDATE member m SET sealed = o.wrapped FROM keys.member_key o "
    "WHERE m.member_id = $1 AND o.member_id <> $2 AND o.member_id = m.member_id",
    "profile into the key's column": "UPDATE keys.member_key m SET wrapped = o.sealed FROM member o "
    "WHERE m.member_id = $1 AND o.member_id <> $2 AND o.member_id = m.member_id",
    "a byte of it": "UPDATE member SET sealed = set_byte(sealed, 30, 255 - get_byte(sealed, 30)) "
    "WHERE member_id = $1 AND member_id <> $2",
    "cut to nothing": "UPDATE member SET sealed = '' WHERE member_id = $1 AND member_id <> $2",
    "a key version that never was": "UPDATE keys.member_key SET ring_version = 99 "
    "WHERE member_id = $1 AND member_id <> $2",
    "the key taken away": "DELETE FROM keys.member_key WHERE member_id = $1 AND member_id <> $2",
}


@pytest.fixture
async def mailbox(tmp_path: Path) -> AsyncIterator[RunningMailbox]:
    async with running_mailbox(tmp_path / "mailbox") as running:
        yield running


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
async def test_an_altered_member_is_left_out_as_unreadable_and_the_others_of_the_chunk_get_their_mail(
    main: asyncpg.Pool,
    vault: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
    new_id: IdSource,
    clock: Clock,
    mailbox: RunningMailbox,
    tmp_path: Path,
    move: str,
) -> None:
    kek = Kek(bytes(range(32)))
    rings, run, member_ids = await _arranged(main, vault, kek, new_id, clock)
    victim, other, erased = member_ids[3], member_ids[7], member_ids[11]
    await vault_owner.execute(move, victim, other)
    await MemberStore(vault, rings, new_id).erase(run.account_id, erased)
    before = UNREADABLE._value.get()
    relay = RelaySettings(host="127.0.0.1", port=mailbox.smtp_port, tls="none", connections=2)
    async with running_worker(main, Vault(vault, KeyRings(vault, kek)), tmp_path, relay):  # type: ignore[arg-type]
        await settled(main, run.run_id)
    omitted = {row["seq"]: row["reason"] for row in await main.fetch("SELECT seq, reason FROM omission")}
    assert omitted == {4: "unreadable", 12: "erased"}
    assert await outcomes(main, run.run_id) == {"accepted": MEMBERS - 2}
    if "DELETE" not in move:
        assert UNREADABLE._value.get() > before
    [check] = await verify(main, run.run_id)
    assert check.ok, check
    assert check.counts["accepted"] + check.counts["suppressed"] == MEMBERS == check.counts["snapshot"]


async def _arranged(
    main: asyncpg.Pool, vault: asyncpg.Pool, kek: Kek, new_id: IdSource, clock: Clock
) -> tuple[KeyRings, Arranged, list[UUID]]:
    """A run to members of a real vault."""
    account_id, rings = new_id(), KeyRings(vault, kek)
    await open_account(vault, kek, account_id, new_id)
    store, consent = MemberStore(vault, rings, new_id), Consent("form", clock.now())
    addresses = [f"member{n}@example.jp" for n in range(MEMBERS)]
    made = [await store.create(account_id, address, {"name": "山田"}, consent=consent) for address in addresses]
    run = await arrange_run(main, new_id, addresses, account_id=account_id)
    member_ids = [member.member_id for member in made]
    await main.execute(
        "UPDATE recipient r SET member_id = t.member_id FROM unnest($1::uuid[]) WITH ORDINALITY AS t (member_id, seq) "
        "WHERE r.seq = t.seq",
        member_ids,
    )
    return rings, run, member_ids
