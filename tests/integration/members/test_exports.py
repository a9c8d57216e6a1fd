"""Members into a file: whole, sealed, resumed after a crash, and read back by an import as they were."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest

from core import ids
from core.clock import Clock
from core.errors import Conflict, InvalidInput, NotFound, Superseded
from core.ids import IdSource
from members.accounts import open_account
from members.attribute import Choice
from members.attributes import AttributeStore
from members.audience import AudienceSource
from members.exports import Export, ExportStore, run, run_export
from members.groups import GroupStore
from members.kek import Kek
from members.keyring import KeyRings
from members.listing import MemberList
from members.member import Consent
from members.members import MemberStore
from members.topics import TopicStore
from scheduler.chores import sweep_files
from tests.support.imports import Imports, counters
from tests.support.postgres import shift_clock
from tracking.engagement import MemberEngagement

KEEP = 3600.0
ALL = {"all": True}


class Exports:
    def __init__(
        self, pool: asyncpg.Pool, main: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock
    ) -> None:
        self.pool, self.rings, self.account, self.new_id, self.clock = pool, rings, account, new_id, clock
        audiences = AudienceSource(pool, rings, MemberEngagement(main))
        self.store = ExportStore(pool, rings, audiences, keep=KEEP)
        self.audiences = audiences

    async def order(self, wanted: dict[str, Any] | None = None, **options: Any) -> UUID:
        return (await self.store.begin(self.account, self.new_id(), wanted or ALL, **options)).export_id

    async def work(self, export_id: UUID, alive: Callable[[], bool] = lambda: True) -> Export:
        await run_export(self.pool, self.rings, self.audiences, export_id, self.clock, alive, KEEP)
        return await self.store.get(self.account, export_id)

    async def file(self, export_id: UUID) -> bytes:
        return b"".join([piece async for piece in self.store.file(self.account, export_id)])

    async def through(self, wanted: dict[str, Any] | None = None, **options: Any) -> bytes:
        export_id = await self.order(wanted, **options)
        assert (await self.work(export_id)).state == "finished"
        return await self.file(export_id)


@pytest.fixture
def exports(
    vault: asyncpg.Pool, main: asyncpg.Pool, rings: KeyRings, account: UUID, new_id: IdSource, clock: Clock
) -> Exports:
    return Exports(vault, main, rings, account, new_id, clock)


@pytest.fixture
def consent(clock: Clock) -> Consent:
    return Consent("form", clock.now() - timedelta(days=1))


@pytest.fixture
async def members(imports: Imports, new_id: IdSource) -> MemberStore:
    attributes = AttributeStore(imports.pool, new_id)
    for name, type_ in (("vip", "boolean"), ("joined", "date"), ("met", "datetime"), ("likes", "tags")):
        await attributes.define(imports.account, name, type_)  # type: ignore[arg-type]
    values: list[dict[str, object]] = [
        {"name": '=HYPERLINK("x")', "city": "tokyo", "age": -5, "vip": True, "likes": ["a", "b"]},
        {"name": "'=already", "age": 1.5, "vip": False, "joined": "2026-12-01", "met": "2026-12-01T00:00:00Z"},
        {"name": '山田\n"太郎", 様', "plan": "+gold"},
        {},
    ]
    store = MemberStore(imports.pool, imports.rings, new_id)
    for number, one in enumerate(values):
        await store.create(imports.account, f"m{number}@example.jp", one)
    return store


async def copied(imports: Imports, kek: Kek, content: bytes) -> dict[str, object]:
    """Import a file into an account of its own with the same attributes; return values by address."""
    other = imports.new_id()
    await open_account(imports.pool, kek, other, imports.new_id)
    attributes = AttributeStore(imports.pool, imports.new_id)
    for one in await attributes.list(imports.account):
        if one.name not in {known.name for known in await attributes.list(other)}:
            choices = [Choice(choice.value, choice.label) for choice in one.choices]
            await attributes.define(other, one.name, one.type, protection=one.protection, choices=choices)
    twin = Imports(imports.pool, imports.rings, other, imports.new_id, imports.clock)
    done = await twin.through(content)
    assert counters(done)[3] == 0, await twin.reject_file(done)
    return {one.address: one.values for one in (await MemberList(twin.pool, twin.rings).page(other)).items}


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
async def test_an_import_of_an_export_gives_the_same_members(
    exports: Exports, imports: Imports, members: MemberStore, kek: Kek, format_: str
) -> None:
    content = await exports.through(format_=format_)
    listed = await MemberList(imports.pool, imports.rings).page(imports.account)
    originals = {one.address: one.values for one in listed.items}
    assert len(originals) == 4
    assert await copied(imports, kek, content) == originals


@pytest.mark.usefixtures("members")
async def test_cells_are_safe_and_numbers_stay_numbers(exports: Exports) -> None:
    content = await exports.through()
    assert content.startswith("\ufeff".encode())
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert [row["name"] for row in rows] == ['\'=HYPERLINK("x")', "''=already", '山田\n"太郎", 様', ""]
    assert rows[2]["plan"] == "'+gold"
    assert (rows[0]["age"], rows[0]["vip"], rows[0]["likes"]) == ("-5", "true", "a; b")
    plain = await exports.through(bom=False, columns=["email"])
    assert plain == b"email\r\n" + b"".join(b"m%d@example.jp\r\n" % number for number in range(4))


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
async def test_topics_go_out_and_come_in_again(
    exports: Exports, imports: Imports, consent: Consent, format_: str
) -> None:
    topics = TopicStore(imports.pool, imports.new_id)
    chosen = [(await topics.create(imports.account, name)).topic_id for name in ("weekly", "daily")]
    for number in range(3):
        await imports.members.create(imports.account, f"m{number}@example.jp", consent=consent, topics=chosen[:number])
    content = await exports.through(format_=format_, columns=["email", "topics"])
    assert counters(await imports.through(content)) == (0, 0, 3, 0)
    assert counters(await imports.through(content.replace(b"@example.jp", b"@example.com"))) == (3, 0, 0, 0)
    for number in range(3):
        member = await imports.members.by_address(imports.account, f"m{number}@example.com")
        assert set(member.topics) == set(chosen[:number])


async def test_who_and_what_is_exported_is_chosen(
    exports: Exports, members: MemberStore, account: UUID, new_id: IdSource
) -> None:
    groups = GroupStore(exports.pool, new_id)
    group = await groups.create(account, "Shop")
    chosen = await members.by_address(account, "m1@example.jp")
    await groups.add(account, group.group_id, [chosen.member_id])
    name = ids.encode("grp", group.group_id)
    columns = ["id", "email", "status", "groups", "created_at", "age"]
    content = await exports.through({"groups": [name]}, format_="jsonl", columns=columns)
    (line,) = [orjson.loads(line) for line in content.splitlines()]
    assert list(line) == columns
    assert (line["email"], line["status"], line["groups"], line["age"]) == ("m1@example.jp", chosen.status, [name], 1.5)
    with pytest.raises(InvalidInput) as caught:
        await exports.order(columns=["email", "shoe", "email"])
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [
        ("/columns/1", "unknown-column"),
        ("/columns/2", "duplicate-column"),
    ]
    with pytest.raises(InvalidInput):
        await exports.order({"groups": ["grp_nothing"]})


async def test_a_killed_run_goes_on_where_it_stopped(
    exports: Exports, imports: Imports, vault: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PAGE", 10)
    await imports.through("\n".join(["email", *(f"m{number}@example.jp" for number in range(95))]).encode())
    export_id = await exports.order(bom=False, columns=["email"])
    left = iter(range(4))
    with pytest.raises(Superseded):
        await exports.work(export_id, lambda: next(left, None) is not None)
    midway = await exports.store.get(exports.account, export_id)
    assert (midway.state, midway.written, midway.rows_done, midway.rows_total) == ("running", 40, 40, 95)
    with pytest.raises(Conflict):
        await exports.store.require_finished(exports.account, export_id)
    done = await exports.work(export_id)
    assert (done.state, done.written, done.unreadable) == ("finished", 95, 0)
    content = await exports.file(export_id)
    assert content.splitlines()[1:] == [b"m%d@example.jp" % number for number in range(95)]
    assert done.bytes == len(content)
    assert b"m50@example.jp" not in b"".join([row[0] for row in await vault.fetch("SELECT sealed FROM export_block")])


async def test_who_can_not_be_opened_is_counted_and_left_out(
    exports: Exports, members: MemberStore, account: UUID, vault: asyncpg.Pool
) -> None:
    broken = await members.by_address(account, "m2@example.jp")
    await vault.execute("UPDATE member SET sealed = sealed || '\\x00' WHERE member_id = $1", broken.member_id)
    done = await exports.work(await exports.order(columns=["email"]))
    assert (done.rows_done, done.written, done.unreadable) == (4, 3, 1)


async def test_an_export_is_cancelled_and_one_of_nobody_has_its_titles(exports: Exports, vault: asyncpg.Pool) -> None:
    export_id = await exports.order()
    assert (await exports.store.cancel(exports.account, export_id)).state == "cancelled"
    assert (await exports.work(export_id)).state == "cancelled"
    with pytest.raises(Conflict):
        await exports.store.cancel(exports.account, export_id)
    done = await exports.work(await exports.order(columns=["email"]))
    assert (await exports.file(done.export_id)).decode("utf-8-sig") == "email\r\n"
    await exports.store.cancel(exports.account, done.export_id)
    assert await vault.fetchval("SELECT count(*) FROM export_block") == 0


@pytest.mark.usefixtures("members")
async def test_a_file_is_gone_after_its_time(
    exports: Exports,
    stops: asyncpg.Pool,
    vault: asyncpg.Pool,
    vault_owner: asyncpg.Pool,
) -> None:
    done = await exports.work(await exports.order())
    waiting = await exports.order()
    assert await sweep_files(stops) == 0
    await shift_clock(vault_owner, KEEP + 60)
    with pytest.raises(NotFound):
        await exports.store.get(exports.account, done.export_id)
    assert [one.export_id for one in (await exports.store.list(exports.account)).items] == [waiting]
    assert await sweep_files(stops) > 0
    assert await vault.fetchval("SELECT count(*) FROM export_block") == 0
    assert (await exports.work(waiting)).state == "finished"
