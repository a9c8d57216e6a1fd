"""For a file that brings new addresses nothing is looked up after a while: all comes out as if it had been."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.errors import NotFound
from core.ids import IdSource
from members.attributes import AttributeStore
from members.global_suppressions import GlobalSuppressions
from members.imports import run, standing
from members.imports.merge import Merge
from members.kek import Kek
from members.keyring import KeyRings
from members.rotation import Rotation
from members.suppressions import SuppressionStore
from tests.support.imports import Imports, counters

BATCHES = 9
EXISTING = standing.SQL["existing"]


@pytest.fixture(autouse=True)
def batches_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BATCH", 2)


class Asked:
    """A pool that notes how many addresses were looked for, statement by statement."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.addresses: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    async def fetch(self, query: str, *arguments: Any) -> Any:
        if query == EXISTING:
            self.addresses.append(len(arguments[2]) // 32)
        return await self._pool.fetch(query, *arguments)


@pytest.fixture
def asked(imports: Imports) -> Asked:
    imports.pool = asked = Asked(imports.pool)  # type: ignore[assignment]
    return asked


def file(*later: str, columns: str = "email,name", first: int = 2 * BATCHES) -> bytes:
    """Return a file of new addresses with these lines at its end."""
    return "\n".join([columns, *(f"new{number}@example.jp,N" for number in range(first)), *later]).encode()


async def consents(imports: Imports) -> int:
    return int(await imports.pool.fetchval("SELECT count(*) FROM consent WHERE account_id = $1", imports.account))


async def test_nobody_is_looked_for_once_a_batch_found_nobody(imports: Imports, asked: Asked) -> None:
    done = await imports.through(file())
    assert counters(done) == (18, 0, 0, 0)
    assert asked.addresses == [1, 2]


async def test_a_hundredth_is_looked_for_and_tells_of_a_part_of_the_file_that_is_known(
    imports: Imports, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 100)
    await imports.through(b"email,name\nold@example.jp,old\n")
    asked.addresses.clear()
    done = await imports.through(file("old@example.jp,new", "last@example.jp,L", first=598))
    assert counters(done) == (599, 1, 0, 0)
    assert asked.addresses == [99, 100, 1, 1, 1, 1, 100]


async def test_everybody_is_looked_for_where_the_first_batch_found_somebody(imports: Imports, asked: Asked) -> None:
    await imports.through(b"email,name\nnew0@example.jp,N\n")
    asked.addresses.clear()
    done = await imports.through(file())
    assert counters(done) == (17, 0, 1, 0)
    assert asked.addresses == [1, *[2] * 8, 1]


async def test_a_known_member_late_in_the_file_is_met_and_from_then_on_all_are_looked_for(
    imports: Imports, asked: Asked
) -> None:
    await imports.through(b"email,name\nold@example.jp,old\nolder@example.jp,O\n")
    asked.addresses.clear()
    more = [f"late{number}@example.jp,L" for number in range(20)]
    done = await imports.through(file("old@example.jp,new", *more, "older@example.jp,O", "bad,"))
    assert (done.rows_done, counters(done)) == (41, (38, 1, 1, 1))
    old = await imports.members.by_address(imports.account, "old@example.jp")
    assert (old.values, old.revision) == ({"name": "new"}, 2)
    assert await consents(imports) == 40
    assert len(asked.addresses) >= 2 + 20 // 2


async def test_an_address_that_stands_again_far_below_is_rejected_and_counted_once(imports: Imports) -> None:
    again = ["new1@example.jp,again", "last@example.jp,L", "last@example.jp,L"]
    done = await imports.through(file(*again), mode="replace")
    assert counters(done) == (19, 0, 0, 2)
    assert [(row["line"], row["reason"]) for row in await imports.rejects(done)] == [
        ("20", "The address stands in an earlier line too"),
        ("22", "The address stands in an earlier line too"),
    ]
    assert (await imports.members.by_address(imports.account, "new1@example.jp")).values == {"name": "N"}
    assert await consents(imports) == 19


async def test_an_address_of_the_same_batch_or_of_one_that_is_not_committed_yet_is_rejected_without_a_look(
    imports: Imports, asked: Asked
) -> None:
    done = await imports.through(file("new15@example.jp,again", "last@example.jp,L", "last@example.jp,again"))
    assert counters(done) == (19, 0, 0, 2)
    assert asked.addresses == [1, 2]


@pytest.mark.parametrize("everywhere", [False, True])
async def test_a_suppressed_address_late_in_the_file_is_rejected_and_a_suppressed_member_is_not(
    imports: Imports,
    vault: asyncpg.Pool,
    rings: KeyRings,
    everywhere: bool,
) -> None:
    await imports.through(b"email,name\nknown@example.jp,old\n")
    addresses = ["never@example.jp", "known@example.jp"]
    if everywhere:
        assert [account async for account, _ in GlobalSuppressions(vault, rings).add(addresses)] == [imports.account]
    else:
        for address in addresses:
            await SuppressionStore(vault, rings).add(imports.account, address)
    done = await imports.through(file("never@example.jp,N", "x@example.jp,N", "known@example.jp,new"))
    assert counters(done) == (19, 1, 0, 1)
    assert [(row["line"], row["reason"]) for row in await imports.rejects(done)] == [
        ("20", "The address is suppressed: it is not taken up again")
    ]
    assert (await imports.members.by_address(imports.account, "known@example.jp")).values == {"name": "new"}


async def test_nobody_of_a_suppressed_domain_comes_in_late_in_the_file(
    imports: Imports, vault: asyncpg.Pool, rings: KeyRings
) -> None:
    stops = SuppressionStore(vault, rings)
    await stops.add_hash(imports.account, await stops.of_domain(imports.account, "never.co.jp"), "manual")
    done = await imports.through(file("a@never.co.jp,N", "x@example.jp,N", "b@never.co.jp,N"))
    assert counters(done) == (19, 0, 0, 2)


async def test_a_known_member_needs_no_required_value_late_in_the_file(imports: Imports, new_id: IdSource) -> None:
    await imports.through(b"email,name\nknown@example.jp,old\n")
    attributes = AttributeStore(imports.pool, new_id)
    await attributes.define(imports.account, "shoe", "text", required=True)
    await imports.through(b"email,shoe\nknown@example.jp,42\n")
    lines = [f"new{number}@example.jp,N,40" for number in range(12)]
    lines += ["known@example.jp,new,", "lacks@example.jp,L,"]
    done = await imports.through("\n".join(["email,name,shoe", *lines]).encode())
    assert counters(done) == (12, 1, 0, 1)
    known = await imports.members.by_address(imports.account, "known@example.jp")
    assert known.values == {"name": "new", "shoe": "42"}


async def test_who_is_erased_before_the_batch_is_written_does_not_come_back(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    member = await imports.members.create(imports.account, "gone@example.jp", {})
    look = Merge.look

    async def erasing(self: Merge, pool: asyncpg.Pool, rows: Sequence[Any], **how: Any) -> Any:
        found = await look(self, pool, rows, **how)
        if rows[-1].address.mailbox == "gone@example.jp" and how.get("presumed"):
            await imports.members.erase(imports.account, member.member_id)
        return found

    monkeypatch.setattr(Merge, "look", erasing)
    done = await imports.through(file("gone@example.jp,G"))
    assert counters(done) == (18, 0, 0, 1)
    assert (await imports.rejects(done))[0]["reason"] == "The address is suppressed: it is not taken up again"
    with pytest.raises(NotFound):
        await imports.members.by_address(imports.account, "gone@example.jp")


async def test_nothing_is_presumed_of_an_update_nor_of_a_dry_run(imports: Imports) -> None:
    await imports.through(b"email,name\nold@example.jp,old\n")
    tried = await imports.work(await imports.upload(file("old@example.jp,new", "new1@example.jp,again"), dry_run=True))
    assert (tried.state, counters(tried)) == ("checked", (18, 1, 0, 1))
    updated = await imports.through(file("old@example.jp,new"), mode="update")
    assert counters(updated) == (0, 1, 0, 18)


async def test_a_member_under_an_earlier_index_key_is_met_while_a_newer_one_is_brought_in(
    imports: Imports, account: UUID, kek: Kek, asked: Asked
) -> None:
    await imports.through(b"email,name\nold@example.jp,old\n")
    rotation = Rotation(imports.pool, kek, imports.rings.random)
    await rotation.add(account, "index")
    await rotation.promote(account, "index")
    asked.addresses.clear()
    done = await imports.through(file("x@example.jp,X", "old@example.jp,new"))
    assert counters(done) == (19, 1, 0, 0)
    assert sorted(asked.addresses[:4]) == [1, 1, 2, 2]
    assert (await imports.members.by_address(account, "old@example.jp")).values == {"name": "new"}


@pytest.mark.parametrize("backwards", [False, True])
async def test_two_imports_of_the_same_addresses_make_each_member_once(imports: Imports, backwards: bool) -> None:
    lines = [f"new{number}@example.jp,N" for number in range(60)]
    one = await imports.upload("\n".join(["email,name", *lines]).encode())
    other = await imports.upload("\n".join(["email,name", *(lines[::-1] if backwards else lines)]).encode())
    done = await asyncio.gather(imports.work(one), imports.work(other))
    assert {end.state for end in done} == {"finished"}
    assert sum(end.created for end in done) == 60
    assert sum(end.unchanged for end in done) == 60
    assert await consents(imports) == 60
