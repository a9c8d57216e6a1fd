import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from core.clock import Clock
from core.errors import Conflict, InvalidInput, NotFound, Superseded, TooLarge
from core.ids import IdSource
from members.attributes import AttributeStore
from members.imports import pipeline, run, run_import
from members.imports.file import MAX_BLOCK
from members.imports.merge import Merge
from members.keyring import KeyRings
from members.suppressions import Stop, SuppressionStore, carry_stops
from tests.support.imports import Imports, counters
from tests.support.waiting import eventually

HOLD = "INSERT INTO address_index (account_id, index_version, hmac, member_id) VALUES ($1, 1, $2, $3)"
BOTH_WAIT = """SELECT count(*) FILTER (WHERE wait_event = 'transactionid') = 1
                  AND count(*) FILTER (WHERE state = 'idle in transaction') = 2
               FROM pg_stat_activity WHERE datname = current_database()"""
MAPPING = {"メール": "email", "氏名": "name", "都道府県": "city", "年齢": "age"}


EXCEL = (
    "メール,氏名,都道府県,年齢,備考\r\n"
    'taro.@docomo.ne.jp,"山田\r\n太郎",東京都,\uff13\uff13,"一行目\r\n二行目"\r\n'
    'ta..ro@ezweb.ne.jp,高橋,osaka,"1,234",\r\n'
    "not an address,だれか,東京都,1,\r\n"
    ",名無し,東京都,1,\r\n"
    "age@example.jp,年齢,東京都,わかい,\r\n"
    "city@example.jp,町,横浜,1,\r\n"
    "TA..RO@ezweb.ne.jp,二度目,東京都,1,\r\n"
    "many@example.jp,多い,東京都,1,x,y,z\r\n"
    ",,,,\r\n"
    '"broken@example.jp,引用符,東京都,1,\r\n'
    '"hanako@example.jp",髙木 花子,大阪府,20,\u2460\r\n'
)


async def test_a_file_as_excel_in_japan_writes_it_is_taken_and_its_bad_rows_are_given_back(imports: Imports) -> None:
    done = await imports.through(EXCEL.encode("cp932"), MAPPING)
    assert (done.state, done.error) == ("finished", None)
    assert counters(done) == (3, 0, 0, 7)
    assert (done.rows_done, done.rows_total) == (10, 10)
    taro = await imports.members.by_address(imports.account, "taro.@docomo.ne.jp")
    assert taro.values == {"name": "山田\n太郎", "city": "tokyo", "age": 33}
    assert taro.status == "active"
    assert [record.source for record in await imports.members.consents(imports.account, taro.member_id)] == [
        "2026-form"
    ]
    hanako = await imports.members.by_address(imports.account, "hanako@example.jp")
    assert hanako.values["name"] == "髙木 花子"
    rejects = await imports.rejects(done)
    assert [(row["line"], row["reason"]) for row in rejects] == [
        ("6", "email: The address needs a local part, one @ and a domain"),
        ("7", "email: The address is missing"),
        ("8", "age: Not a number"),
        ("9", "city: Unknown choice"),
        ("10", "The address stands in an earlier line too"),
        ("11", "More fields than the header has columns"),
        ("13", "The quotes of this line do not match"),
    ]
    assert rejects[2]["氏名"] == "年齢"


async def test_the_same_file_again_changes_nothing(imports: Imports, vault: asyncpg.Pool) -> None:
    await imports.through(EXCEL.encode("cp932"), MAPPING)
    before = await vault.fetch("SELECT * FROM member ORDER BY member_id")
    again = await imports.through(EXCEL.encode("cp932"), MAPPING)
    assert counters(again) == (0, 0, 3, 7)
    assert await vault.fetch("SELECT * FROM member ORDER BY member_id") == before


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
async def test_encoding_and_delimiter_are_found(imports: Imports, encoding: str, delimiter: str) -> None:
    text = delimiter.join(("email", "name")) + "\n" + delimiter.join(("hanako@example.jp", "花子")) + "\n"
    done = await imports.through(text.encode(encoding))
    assert counters(done) == (1, 0, 0, 0)
    assert (await imports.members.by_address(imports.account, "hanako@example.jp")).values == {"name": "花子"}


async def test_bytes_that_mean_nothing_cost_their_own_row_only(imports: Imports) -> None:
    content = (
        "email,name\n花@example.jp,花\na@example.jp,花子さん\n".encode() + b"b@example.jp,\xff\xfe\nc@example.jp,c\n"
    )
    done = await imports.through(content)
    assert counters(done) == (3, 0, 0, 1)
    assert (await imports.rejects(done))[0]["name"] == "\ufffd\ufffd"


async def test_blocks_may_cut_a_character_a_line_and_a_quoted_field_anywhere(imports: Imports) -> None:
    content = EXCEL.encode("cp932")
    done = await imports.work(await imports.upload(content, MAPPING, block=7))
    assert counters(done) == (3, 0, 0, 7)


async def test_a_later_file_updates_what_it_brings_and_leaves_the_rest(imports: Imports) -> None:
    await imports.through(b"email,name,age\na@example.jp,A,20\nb@example.jp,B,30\n")
    done = await imports.through(b"email,age,plan\nA@EXAMPLE.jp,21,gold\nb@example.jp,,\nc@example.jp,5,\n")
    assert counters(done) == (1, 1, 1, 0)
    changed = await imports.members.by_address(imports.account, "a@example.jp")
    assert (changed.values, changed.revision) == ({"name": "A", "age": 21, "plan": "gold"}, 2)


async def test_an_address_twice_in_a_file_is_taken_once_across_batches(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 2)
    await imports.through(b"email\nold@example.jp\n")
    lines = ["email,name", "old@example.jp,1", "new@example.jp,1", "x@example.jp,1", "new@example.jp,2"]
    lines += ["y@example.jp,1", "z@example.jp,1", "old@example.jp,2", "new@example.jp,3"]
    done = await imports.through("\n".join(lines).encode())
    assert counters(done) == (4, 1, 0, 3)
    assert [row["line"] for row in await imports.rejects(done)] == ["5", "8", "9"]


async def test_a_suppressed_address_is_not_taken_up_again_and_who_left_stays_left(
    imports: Imports, vault: asyncpg.Pool, rings: KeyRings, stops: asyncpg.Pool, clock: Clock
) -> None:
    await imports.through(b"email,name\nleft@example.jp,old\ngone@example.jp,G\n")
    left = await imports.members.by_address(imports.account, "left@example.jp")
    gone = await imports.members.by_address(imports.account, "gone@example.jp")
    await carry_stops(stops, [Stop(imports.account, left.member_id, "unsubscribed", clock.now())])
    await imports.members.erase(imports.account, gone.member_id)
    await SuppressionStore(vault, rings).add(imports.account, "never@example.jp")
    done = await imports.through(b"email,name\nleft@example.jp,new\ngone@example.jp,G\nnever@example.jp,N\n")
    assert counters(done) == (0, 1, 0, 2)
    left = await imports.members.by_address(imports.account, "left@example.jp")
    assert (left.status, left.values) == ("unsubscribed", {"name": "new"})
    with pytest.raises(NotFound):
        await imports.members.by_address(imports.account, "gone@example.jp")


async def test_a_run_that_dies_mid_way_is_resumed_to_exact_totals(
    imports: Imports, monkeypatch: pytest.MonkeyPatch, vault: asyncpg.Pool
) -> None:
    monkeypatch.setattr(run, "BATCH", 10)
    lines = ["email,name"] + [f"m{number}@example.jp,{number}" for number in range(95)]
    lines[50] = "bad,x"
    lines[70] = "m3@example.jp,again"
    import_id = await imports.upload("\n".join(lines).encode(), block=300)
    for batches in (5, 5):
        left = iter(range(batches))
        with pytest.raises(Superseded):
            await imports.work(import_id, lambda left=left: next(left, None) is not None)  # type: ignore[misc]
        midway = await imports.store.get(imports.account, import_id)
        assert midway.state == "running"
        assert 0 < midway.rows_done < 95
        assert sum(counters(midway)) == midway.rows_done
        assert await vault.fetchval("SELECT count(*) FROM member") == midway.created
    done = await imports.work(import_id)
    assert (done.state, counters(done)) == ("finished", (93, 0, 0, 2))
    assert [row["line"] for row in await imports.rejects(done)] == ["51", "71"]
    assert await vault.fetchval("SELECT count(*) FROM consent") == 93
    assert counters(await imports.work(import_id)) == counters(done)
    assert await vault.fetchval("SELECT count(*) FROM import_block") == 0


async def test_two_runs_of_one_import_count_each_row_once(imports: Imports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BATCH", 10)
    lines = ["email"] + [f"m{number}@example.jp" for number in range(100)]
    import_id = await imports.upload("\n".join(lines).encode())
    asked = 0

    async def rival() -> None:
        await run_import(imports.pool, imports.rings, import_id, imports.new_id, imports.clock, lambda: True)

    def alive() -> bool:
        nonlocal asked
        asked += 1
        return True

    ended = await asyncio.gather(rival(), imports.work(import_id, alive), return_exceptions=True)
    assert sum(isinstance(end, Superseded) for end in ended) <= 1
    done = await imports.work(import_id)
    assert counters(done) == (100, 0, 0, 0)


async def test_a_member_that_appears_between_look_and_write_is_met_not_doubled(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_id = await imports.upload(b"email,name\nrace@example.jp,file\nother@example.jp,O\n")
    look = Merge.look
    raced = False

    async def racing(self: Merge, pool: asyncpg.Pool, rows: Any, **how: Any) -> Any:
        nonlocal raced
        standing = await look(self, pool, rows, **how)
        if not raced:
            raced = True
            await imports.members.create(imports.account, "race@example.jp", {"name": "form"})
        return standing

    monkeypatch.setattr(Merge, "look", racing)
    done = await imports.work(import_id)
    assert counters(done) == (1, 1, 0, 0)
    raced_member = await imports.members.by_address(imports.account, "race@example.jp")
    assert (raced_member.values, raced_member.status) == ({"name": "file"}, "pending")


async def test_a_race_makes_only_the_batches_around_it_look_again(
    imports: Imports, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 2)
    lines = ["email,name"] + [f"m{number}@example.jp,{number}" for number in range(60)]
    import_id = await imports.upload("\n".join(lines).encode())
    look, looked = Merge.look, 0

    async def racing(self: Merge, pool: asyncpg.Pool, rows: Any, **how: Any) -> Any:
        nonlocal looked
        looked += 1
        is_third = looked == 3
        standing = await look(self, pool, rows, **how)
        if is_third:
            await imports.members.create(imports.account, rows[0].address.mailbox, {"name": "form"})
        return standing

    monkeypatch.setattr(Merge, "look", racing)
    done = await imports.work(import_id)
    assert (done.state, counters(done)) == ("finished", (59, 1, 0, 0))
    assert looked < 30 + 10


async def test_two_who_wait_for_each_other_by_two_batches_both_end(
    imports: Imports, vault: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 1)
    monkeypatch.setattr(pipeline, "PATIENCE", "1s")
    ring = await imports.rings.ring(imports.account)
    first, second = (dict(ring.hashes(f"{name}@example.jp".encode()).lookup)[1] for name in ("first", "second"))
    import_id = await imports.upload(b"email\nfirst@example.jp\nsecond@example.jp\n")
    async with vault.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(HOLD, imports.account, first, imports.new_id())
        working = asyncio.create_task(imports.work(import_id))
        await eventually(lambda: vault.fetchval(BOTH_WAIT))
        # Its second batch holds this one, and waits for the first, which waits for us.
        await other.execute(HOLD, imports.account, second, imports.new_id(), timeout=20)
        await transaction.rollback()
    assert counters(await working) == (2, 0, 0, 0)


async def test_modes_add_and_update(imports: Imports) -> None:
    await imports.through(b"email,name\na@example.jp,A\n")
    added = await imports.through(b"email,name\na@example.jp,X\nb@example.jp,B\n", mode="add")
    assert counters(added) == (1, 0, 1, 0)
    updated = await imports.through(b"email,name\na@example.jp,Y\nc@example.jp,C\n", mode="update")
    assert counters(updated) == (0, 1, 0, 1)


async def test_wrong_orders_are_refused_at_once_with_every_fault(imports: Imports) -> None:
    import_id = await imports.store.begin(imports.account)
    await imports.store.add_block(imports.account, import_id, 0, b"email\n")
    with pytest.raises(InvalidInput) as caught:
        await imports.store.submit(imports.account, import_id, {"メール/": "shoe"}, "form")
    assert {(fault.pointer, fault.code) for fault in caught.value.faults} == {
        ("/mapping/メール~1", "unknown-attribute"),
        ("/mapping", "no-email"),
    }
    with pytest.raises(InvalidInput):
        await imports.store.submit(imports.account, import_id, {}, "")
    with pytest.raises(InvalidInput):
        await imports.store.submit(imports.account, import_id, {}, "form", {"mode": "wild", "colour": 1})
    await imports.store.submit(imports.account, import_id, {}, "form")
    with pytest.raises(Conflict):
        await imports.store.add_block(imports.account, import_id, 1, b"x")


async def test_a_file_without_the_column_fails_with_a_sentence_that_repeats_nothing_of_it(imports: Imports) -> None:
    done = await imports.through(b"taro@example.jp,Taro\nhanako@example.jp,Hanako\n")
    assert done.state == "failed"
    assert done.error is not None
    assert "no column email" in done.error
    assert "taro" not in done.error.lower()


async def test_blocks_are_bounded_and_kept_once(imports: Imports, account: UUID, vault: asyncpg.Pool) -> None:
    import_id = await imports.store.begin(account)
    with pytest.raises(TooLarge):
        await imports.store.add_block(account, import_id, 0, bytes(MAX_BLOCK + 1))
    for _ in range(2):
        await imports.store.add_block(account, import_id, 0, b"email\n")
    assert (await imports.store.get(account, import_id)).bytes == 6
    with pytest.raises(NotFound):
        await imports.store.add_block(imports.new_id(), import_id, 1, b"x")
    await imports.store.add_block(account, import_id, 2, b"x")
    with pytest.raises(InvalidInput):
        await imports.store.submit(account, import_id, {}, "form")


async def test_cells_that_a_spreadsheet_would_run_are_disarmed_and_come_back_as_they_were(imports: Imports) -> None:
    done = await imports.through(b"email,name,age\nx@example.jp,=1+1,old\n")
    reject = (await imports.rejects(done))[0]
    assert reject["name"] == "'=1+1"
    corrected = f"email,name,age\n{reject['email']},{reject['name']},30\n"
    await imports.through(corrected.encode())
    assert (await imports.members.by_address(imports.account, "x@example.jp")).values == {"name": "=1+1", "age": 30}


async def test_times_without_an_offset_are_at_home_in_the_imports_zone(imports: Imports, new_id: IdSource) -> None:
    await AttributeStore(imports.pool, new_id).define(imports.account, "met", "datetime")
    await imports.through(b"email,met\na@example.jp,2026/12/01 9:00\n", consent_at="2026-01-02T03:04:05+00:00")
    member = await imports.members.by_address(imports.account, "a@example.jp")
    assert member.values == {"met": "2026-12-01T00:00:00Z"}
    consents = await imports.members.consents(imports.account, member.member_id)
    assert consents[0].occurred_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
