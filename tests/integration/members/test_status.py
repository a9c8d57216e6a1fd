from datetime import timedelta
from typing import get_args
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.ids import IdSource
from members.errors import StatusForbids
from members.keyring import KeyRings
from members.listing import MemberList, Which
from members.member import Consent
from members.members import MemberStore
from members.status import TRANSITIONS, Status
from members.suppressions import Stop, SuppressionStore, carry_stops
from tests.support.audiences import reached
from tests.support.campaigns import add_members
from tests.support.postgres import shift_clock

DAY = timedelta(days=1)


@pytest.fixture
def consent(clock: Clock) -> Consent:
    return Consent("form", clock.now() - DAY)


async def test_the_database_allows_exactly_the_transitions_of_the_state_machine(
    vault: asyncpg.Pool, account: UUID, new_id: IdSource
) -> None:
    for old in get_args(Status):
        allowed = {new for new in get_args(Status) if await moves(vault, account, new_id(), old, new)}
        assert allowed == TRANSITIONS[old] | {old}


async def moves(vault: asyncpg.Pool, account: UUID, member_id: UUID, old: Status, new: Status) -> bool:
    until = "CASE $3::text WHEN 'paused' THEN app.now() + interval '1 day' END"
    await vault.execute(
        "INSERT INTO member (account_id, member_id, status, paused_until, sealed, tag, suppression_hash)"
        f" VALUES ($1, $2, $3, {until}, '', 0, '')",
        account,
        member_id,
        old,
    )
    try:
        await vault.execute(
            f"UPDATE member SET status = $3, paused_until = {until} WHERE account_id = $1 AND member_id = $2",
            account,
            member_id,
            new,
        )
    except asyncpg.CheckViolationError:
        return False
    return True


async def test_a_status_that_is_not_known_or_a_pause_without_an_end_can_not_be_stored(
    vault: asyncpg.Pool, account: UUID, new_id: IdSource
) -> None:
    await add_members(vault, account, [new_id()])
    for change in ("status = 'unconfirmed'", "status = 'paused'", "paused_until = app.now()"):
        with pytest.raises(asyncpg.CheckViolationError):
            await vault.execute(f"UPDATE member SET {change}")


async def test_a_paused_member_is_left_out_until_the_time_comes_and_is_active_then(
    members: MemberStore,
    account: UUID,
    consent: Consent,
    vault: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
    rings: KeyRings,
    clock: Clock,
) -> None:
    async def listed(status: Status) -> list[UUID]:
        return [one.member_id for one in (await MemberList(vault, rings).page(account, Which(status))).items]

    made = await members.create(account, "taro@example.jp", consent=consent)
    until = clock.now() + DAY
    paused = await members.change(account, made.member_id, 1, pause_until=until)
    assert (paused.status, paused.paused_until) == ("paused", until)
    assert (await reached(vault, rings, account))[0].left_out == {"paused": 1}
    assert await listed("active") == []
    await shift_clock(vault_owner, DAY.total_seconds() + 1)
    assert (await reached(vault, rings, account))[0].sendable == 1
    woken = await members.get(account, made.member_id)
    assert (woken.status, woken.paused_until) == ("active", None)
    assert await listed("active") == [made.member_id]
    assert await listed("paused") == []
    changed = await members.change(account, made.member_id, 2, values={"name": "太郎"})
    assert changed.status == "active"
    assert await vault.fetchval("SELECT status FROM member") == "active"


async def test_a_pause_is_ended_by_hand_and_by_a_withdrawal(
    members: MemberStore, account: UUID, consent: Consent, clock: Clock
) -> None:
    made = await members.create(account, "taro@example.jp", consent=consent)
    await members.change(account, made.member_id, 1, pause_until=clock.now() + DAY)
    assert (await members.change(account, made.member_id, 2, resume=True)).status == "active"
    await members.change(account, made.member_id, 3, pause_until=clock.now() + DAY)
    left = await members.change(account, made.member_id, 4, withdrawn_by="phone")
    assert (left.status, left.paused_until) == ("unsubscribed", None)
    with pytest.raises(StatusForbids):
        await members.change(account, made.member_id, 5, pause_until=clock.now() + DAY)


async def test_a_hard_bounce_shows_until_the_address_changes_or_is_taken_off_the_list(
    members: MemberStore,
    account: UUID,
    consent: Consent,
    vault: asyncpg.Pool,
    rings: KeyRings,
    stops: asyncpg.Pool,
    clock: Clock,
) -> None:
    suppressions = SuppressionStore(vault, rings)
    one = await members.create(account, "one@example.jp", consent=consent)
    two = await members.create(account, "two@example.jp")
    told = [Stop(account, member.member_id, "bounced", clock.now()) for member in (one, two)]
    assert await carry_stops(stops, told) == 2
    assert (await members.get(account, one.member_id)).status == "bounced"
    moved = await members.change(account, one.member_id, 2, address="new@example.jp")
    assert moved.status == "active"
    entry = await suppressions.find(account, "two@example.jp")
    assert entry is not None
    await suppressions.remove(account, entry.hash)
    assert (await members.get(account, two.member_id)).status == "pending"


async def test_who_left_stays_left_when_the_address_bounces(
    members: MemberStore, account: UUID, consent: Consent, stops: asyncpg.Pool, clock: Clock
) -> None:
    made = await members.create(account, "taro@example.jp", consent=consent)
    both = [Stop(account, made.member_id, reason, clock.now()) for reason in ("bounced", "unsubscribed")]
    await carry_stops(stops, both)
    assert (await members.get(account, made.member_id)).status == "unsubscribed"
    await carry_stops(stops, [Stop(account, made.member_id, "bounced", clock.now())])
    assert (await members.get(account, made.member_id)).status == "unsubscribed"


async def test_an_erased_member_can_not_be_written_back(
    members: MemberStore, account: UUID, consent: Consent, vault: asyncpg.Pool
) -> None:
    made = await members.create(account, "taro@example.jp", consent=consent)
    await members.erase(account, made.member_id)
    assert await vault.fetchval("SELECT member_id FROM erased") == made.member_id
    with pytest.raises(asyncpg.CheckViolationError, match="erased"):
        await add_members(vault, account, [made.member_id])
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await vault.execute("DELETE FROM erased")
