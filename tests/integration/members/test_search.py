import asyncio
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock, FixedClock, SystemClock
from core.errors import InvalidInput
from core.ids import IdSource
from members.keyring import KeyRings
from members.listing import MemberList
from members.members import MemberStore
from members.search import BUDGET, MemberSearch, folded
from members.vault import UNREADABLE


@pytest.fixture
def store(vault: asyncpg.Pool, rings: KeyRings, new_id: IdSource) -> MemberStore:
    return MemberStore(vault, rings, new_id)


@pytest.fixture
def listing(vault: asyncpg.Pool, rings: KeyRings) -> MemberList:
    return MemberList(vault, rings)


@pytest.fixture
def search(vault: asyncpg.Pool, rings: KeyRings, clock: Clock) -> MemberSearch:
    return MemberSearch(vault, rings, clock)


@pytest.mark.parametrize(
    ("text", "as_compared"),
    [
        ("Yamada Taro", "yamadataro"),
        ("山田\u3000太郎", "山田太郎"),
        ("\uff39\uff41\uff4d\uff41", "yama"),
        ("\uff94\uff8f\uff80\uff9e", "ヤマダ"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
    ],
)
def test_case_width_and_spaces_do_not_matter(text: str, as_compared: str) -> None:
    assert folded(text) == as_compared


async def test_members_are_found_by_any_part_of_address_or_name(
    store: MemberStore, search: MemberSearch, account: UUID, listing: MemberList
) -> None:
    people = {"taro.yamada@example.jp": "山田 太郎", "hanako@yama.example": "鈴木花子", "jiro@example.jp": "ﾔﾏﾀﾞ次郎"}
    ids = [(await store.create(account, address, {"name": name})).member_id for address, name in people.items()]
    for part, expected in (
        ("yama", ids[:2]),
        ("YAMADA", ids[:1]),
        ("山田太", ids[:1]),
        ("ヤマダ", ids[2:]),
        ("@example.jp", [ids[0], ids[2]]),
        ("nobody", []),
    ):
        found = await search.part(account, part)
        assert (found.member_ids, found.scanned, found.next) == (expected, 3, None)
    assert [one.address for one in await listing.some(account, ids)] == list(people)
    for wrong in ("", " \u3000", "x" * 101):
        with pytest.raises(InvalidInput):
            await search.part(account, wrong)


async def test_a_search_goes_on_where_it_ended(store: MemberStore, search: MemberSearch, account: UUID) -> None:
    ids = [(await store.create(account, f"m{number}@example.jp")).member_id for number in range(5)]
    first = await search.part(account, "example", limit=3)
    assert (first.member_ids, first.scanned, first.next) == (ids[:3], 3, ids[2])
    rest = await search.part(account, "example", limit=3, after=first.next)
    assert (rest.member_ids, rest.scanned, rest.next) == (ids[3:], 2, None)


class HurriedClock(FixedClock):
    """Half the budget goes by each time that somebody looks."""

    def monotonic(self) -> float:
        self.advance(BUDGET / 2)
        return super().monotonic()


async def test_a_search_ends_in_time_and_says_how_far_it_came(
    store: MemberStore, vault: asyncpg.Pool, rings: KeyRings, account: UUID
) -> None:
    for number in range(300):
        await store.create(account, f"m{number}@example.jp")
    search = MemberSearch(vault, rings, HurriedClock(SystemClock().now()))
    found, seen, after = 0, 0, None
    calls = 0
    while True:
        part = await search.part(account, "m29", after=after)
        found, seen, calls, after = found + len(part.member_ids), seen + part.scanned, calls + 1, part.next
        if after is None:
            break
        assert part.scanned <= 256
    assert (found, seen) == (11, 300)
    assert calls > 1


class WatchingClock(FixedClock):
    """Notes at each look how often others had their turn till then."""

    turns = 0

    def monotonic(self) -> float:
        self.seen = [*getattr(self, "seen", []), self.turns]
        return super().monotonic()


async def test_a_search_gives_way_to_the_event_loop_as_it_opens_members(
    store: MemberStore, vault: asyncpg.Pool, rings: KeyRings, account: UUID
) -> None:
    for number in range(300):
        await store.create(account, f"m{number}@example.jp")
    clock = WatchingClock(SystemClock().now())

    async def take_turns() -> None:
        while True:
            await asyncio.sleep(0)
            clock.turns += 1

    other = asyncio.create_task(take_turns())
    await MemberSearch(vault, rings, clock).part(account, "nobody")
    other.cancel()
    assert len(clock.seen) == 1 + 300 // 64
    assert len(set(clock.seen)) == len(clock.seen)


async def test_who_can_not_be_opened_is_counted_and_passed_over(
    store: MemberStore, search: MemberSearch, account: UUID, vault_owner: asyncpg.Pool, listing: MemberList
) -> None:
    ids = [(await store.create(account, f"m{number}@example.jp")).member_id for number in range(3)]
    await vault_owner.execute("UPDATE member SET sealed = sealed || '\\x00' WHERE member_id = $1", ids[1])
    before = UNREADABLE._value.get()
    found = await search.part(account, "example")
    assert (found.member_ids, found.scanned) == ([ids[0], ids[2]], 3)
    assert UNREADABLE._value.get() == before + 1
    assert [one.member_id for one in await listing.some(account, ids)] == [ids[0], ids[2]]


async def test_nobody_of_another_account_is_found(
    store: MemberStore, search: MemberSearch, account: UUID, vault: asyncpg.Pool, new_id: IdSource
) -> None:
    await store.create(account, "taro@example.jp")
    assert (await search.part(new_id(), "taro")).member_ids == []
