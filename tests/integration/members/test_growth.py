"""Growth and decay of the list: every way in and out is counted once, and what is left is who is there."""

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from core.clock import Clock
from core.errors import InvalidInput
from core.ids import IdSource
from core.migrations import migrate
from deploy.dsns import Dsns
from members.growth import MEANINGS, Growth, GrowthStore
from members.keyring import KeyRings
from members.member import Consent
from members.members import MemberStore
from members.suppressions import Stop, carry_stops
from scheduler import chores
from tests.support.postgres import shift_clock

TOKYO = ZoneInfo("Asia/Tokyo")
ON_THE_LIST = "SELECT count(*) FROM member WHERE account_id = $1 AND status IN ('active', 'paused')"


async def told(vault: asyncpg.Pool, account: UUID, days: int = 1) -> list[Growth]:
    now: datetime = await vault.fetchval("SELECT app.now()")
    since = now - timedelta(days=days - 1)
    return list(await GrowthStore(vault).read(account, since, now + timedelta(seconds=1), "day", TOKYO))


def counts(span: Growth) -> dict[str, int]:
    return {name: getattr(span, name) for name in MEANINGS if getattr(span, name)}


async def test_every_way_in_and_out_is_counted_once_and_the_rest_is_who_is_there(
    vault: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
    stops: asyncpg.Pool,
    rings: KeyRings,
    account: UUID,
    new_id: IdSource,
    clock: Clock,
) -> None:
    members = MemberStore(vault, rings, new_id)
    given = Consent("form", clock.now())
    made = [(await members.create(account, f"m{n}@example.jp", consent=given)).member_id for n in range(6)]
    later = clock.now() + timedelta(seconds=10)
    [today] = await told(vault, account)
    assert (today.active, counts(today)) == (6, {"joined": 6})
    await carry_stops(
        stops,
        [
            Stop(account, made[0], "unsubscribed", later),
            Stop(account, made[1], "complained", later),
            Stop(account, made[2], "bounced", later),
        ],
    )
    await members.erase(account, made[3])
    await vault.execute(
        "INSERT INTO member (account_id, member_id, status, sealed, tag, suppression_hash, import_id)"
        " SELECT $1, gen_random_uuid(), s, '\\x00', 0, decode(md5(s || n), 'hex'), i"
        " FROM generate_series(1, 3) n, (VALUES ('pending', NULL::uuid), ('active', $1::uuid)) v (s, i)",
        account,
    )
    await vault.execute(
        "UPDATE member SET status = 'active'"
        " WHERE status = 'pending' AND suppression_hash <> decode(md5('pending3'), 'hex')"
    )
    await vault.execute("DELETE FROM member WHERE status = 'pending'")
    await vault.execute("UPDATE member SET status = 'active' WHERE member_id = $1", made[0])
    for _ in range(2):
        [today] = await told(vault, account)
        assert counts(today) == {
            "joined": 6, "unsubscribed": 2, "complained": 1, "bounced": 1, "erased": 1, "imported": 3, "signed_up": 3,
            "returned": 1, "confirmed": 2, "lapsed": 1,
        }  # fmt: skip
        assert today.active == await vault.fetchval(ON_THE_LIST, account) == 8
        # Folded, the counters say the same.
        assert await chores.fold_growth(stops) >= 0
    assert await vault.fetchval("SELECT count(*) FROM growth_delta") == 0
    await shift_clock(vault_owner, 86_400)
    await vault.execute("DELETE FROM member WHERE account_id = $1", account)
    before, after = await told(vault, account, days=2)
    assert (before, after.active, after.erased) == (today, 0, 10)


async def test_another_accounts_members_are_not_counted_and_steps_are_bounded(
    vault: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock
) -> None:
    await MemberStore(vault, rings, new_id).create(account, "a@example.jp", consent=Consent("form", clock.now()))
    [today] = await told(vault, new_id())
    assert (today.active, counts(today)) == (0, {})
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidInput):
        await GrowthStore(vault).read(account, start, start - timedelta(days=40), "day", TOKYO)
    with pytest.raises(InvalidInput):
        await GrowthStore(vault).read(account, start, start + timedelta(days=2_000), "day", TOKYO)
    months = await GrowthStore(vault).read(account, start, start + timedelta(days=80), "month", TOKYO)
    assert [f"{span.at:%m-%d %H:%M%z}" for span in months] == [f"0{n}-01 00:00+0900" for n in (1, 2, 3)]


async def test_counts_from_before_there_were_totals_are_added_up(
    vault: asyncpg.Pool, vault_owner: asyncpg.Pool, dsns: Dsns, new_id: IdSource
) -> None:
    mine, other, quarter = new_id(), new_id(), 1_988_000
    await vault_owner.execute(
        "ALTER TABLE growth RENAME COLUMN total TO count;DELETE FROM schema_migration WHERE name = '0035_growth_totals'"
    )
    await vault_owner.executemany(
        "INSERT INTO growth (account_id, quarter, kind, count) VALUES ($1, $2, $3, $4)",
        [
            (mine, quarter, "active", 5),
            (mine, quarter + 96, "active", -2),
            (mine, quarter + 96, "erased", 2),
            (other, quarter, "active", 70),
        ],
    )
    assert await migrate(dsns.members_owner, "members") == ["0035_growth_totals"]
    since = datetime.fromtimestamp(quarter * 900, UTC)
    spans = await GrowthStore(vault).read(mine, since, since + timedelta(days=2), "day", ZoneInfo("UTC"))
    assert [(span.active, counts(span)) for span in spans[:2]] == [(5, {}), (3, {"erased": 2})]
