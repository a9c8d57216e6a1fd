"""What one can do with an import: try it first, choose what it may change, end it, leave it lying."""

from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import pytest

from core.errors import Conflict, NotFound
from core.ids import IdSource
from members.attributes import AttributeStore
from members.imports import run
from members.imports.records import Record
from scheduler.chores import sweep_files
from tests.support.imports import Imports, counters
from tests.support.postgres import shift_clock

LINES = ["email,name,city,age,備考"]
LINES += [f"m{number}@example.jp,N{number},tokyo,{number},x" for number in range(30)]
LINES[5] = "bad,,,,"
LINES[20] = "m3@example.jp,again,,,"
FILE = "\n".join(LINES).encode()


async def members_in(vault: asyncpg.Pool) -> int:
    return int(await vault.fetchval("SELECT count(*) FROM member"))


async def test_a_dry_run_tells_what_would_happen_and_then_it_happens(
    imports: Imports, vault: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 7)
    await imports.through(b"email,name\nm0@example.jp,N0\nm1@example.jp,old\n")
    before = await vault.fetch("SELECT * FROM member ORDER BY member_id")
    tried = await imports.work(await imports.upload(FILE, dry_run=True, mode="add"))
    assert (tried.state, tried.dry_run, counters(tried)) == ("checked", True, (26, 0, 2, 2))
    again = await imports.work(tried.import_id)
    assert counters(again) == counters(tried)
    assert await vault.fetch("SELECT * FROM member ORDER BY member_id") == before
    assert await vault.fetchval("SELECT count(*) FROM consent") == 2
    rejects = await imports.reject_file(tried)
    applied = await imports.store.apply(imports.account, tried.import_id)
    assert (applied.state, applied.rows_done) == ("waiting", 0)
    with pytest.raises(Conflict):
        await imports.store.apply(imports.account, tried.import_id)
    done = await imports.work(tried.import_id)
    assert (done.state, done.dry_run, counters(done)) == ("finished", False, counters(tried))
    assert await imports.reject_file(done) == rejects
    assert await members_in(vault) == 28
    for table in ("import_block", "import_seen"):
        assert await vault.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_a_dry_run_shows_columns_and_masked_rows(imports: Imports, vault: asyncpg.Pool) -> None:
    tried = await imports.work(await imports.upload(FILE, dry_run=True))
    report = await imports.store.report(imports.account, tried.import_id)
    assert [tuple(column) for column in report.columns] == [
        ("email", "email"), ("name", "name"), ("city", "city"), ("age", "age"), ("備考", None),
    ]  # fmt: skip
    assert report.samples[0] == {
        "line": 2,
        "email": "m***@example.jp",
        "attributes": {"name": "***", "city": "tokyo", "age": 0},
    }
    assert report.samples[4] == {"line": 6, "reason": "email: The address needs a local part, one @ and a domain"}
    sealed = await vault.fetchval("SELECT report FROM import")
    assert "備考".encode() not in sealed
    real = await imports.through(FILE)
    assert (await imports.store.report(imports.account, real.import_id)).samples == []


async def test_a_dry_run_of_json_lines_shows_its_keys(imports: Imports) -> None:
    content = b'{"email": "a@example.jp", "shoe": {"size": 9}}\n{"email": "b@example.jp", "name": "B"}\n'
    tried = await imports.work(await imports.upload(content, dry_run=True))
    report = await imports.store.report(imports.account, tried.import_id)
    assert [tuple(column) for column in report.columns] == [("email", "email"), ("shoe", None), ("name", "name")]


async def test_replace_makes_a_known_members_values_the_files(imports: Imports, new_id: IdSource) -> None:
    await imports.through(b"email,name,age,plan\na@example.jp,A,20,gold\nb@example.jp,B,30,\n")
    done = await imports.through(b"email,name\na@example.jp,X\nb@example.jp,\nc@example.jp,C\n", mode="replace")
    assert counters(done) == (1, 2, 0, 0)
    assert (await imports.members.by_address(imports.account, "a@example.jp")).values == {"name": "X"}
    assert (await imports.members.by_address(imports.account, "b@example.jp")).values == {}
    await AttributeStore(imports.pool, new_id).define(imports.account, "code", "text", required=True)
    refused = await imports.through(b"email,name\na@example.jp,Y\n", mode="replace")
    assert counters(refused) == (0, 0, 0, 1)
    assert (await imports.rejects(refused))[0]["reason"] == "code: A value is required"


async def test_a_running_import_is_cancelled_and_what_was_committed_stays(
    imports: Imports, vault: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 3)
    import_id = await imports.upload(FILE)
    asked = 0

    def alive() -> bool:
        nonlocal asked
        asked += 1
        return True

    batches = run.batches

    async def cancelling(*args: Any, **named: Any) -> AsyncGenerator[list[Record], None]:
        async for part in batches(*args, **named):
            # The fifth to be written waits for the first one's commit.
            if asked == 6:
                ended = await imports.store.cancel(imports.account, import_id)
                assert ended.state == "cancelled"
            yield part

    monkeypatch.setattr(run, "batches", cancelling)
    done = await imports.work(import_id, alive)
    assert done.state == "cancelled"
    assert 0 < done.rows_done < 30
    assert sum(counters(done)) == done.rows_done
    assert await members_in(vault) == done.created
    with pytest.raises(Conflict):
        await imports.store.cancel(imports.account, import_id)
    assert (await imports.work(import_id)).created == done.created
    for table in ("import_block", "import_seen"):
        assert await vault.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_what_waits_or_was_only_tried_can_be_cancelled(imports: Imports, vault: asyncpg.Pool) -> None:
    waiting = await imports.upload(FILE)
    tried = await imports.work(await imports.upload(FILE, dry_run=True))
    for import_id in (waiting, tried.import_id):
        assert (await imports.store.cancel(imports.account, import_id)).state == "cancelled"
    with pytest.raises(NotFound):
        await imports.store.cancel(imports.new_id(), waiting)
    assert await vault.fetchval("SELECT count(*) FROM import_block") == 0
    assert (await imports.work(waiting)).state == "cancelled"


async def test_what_was_left_is_swept(
    imports: Imports, vault: asyncpg.Pool, vault_owner: asyncpg.Pool, stops: asyncpg.Pool
) -> None:
    left = await imports.store.begin(imports.account)
    await imports.store.add_block(imports.account, left, 0, b"email\n")
    tried = await imports.work(await imports.upload(FILE, dry_run=True))
    waiting = await imports.upload(FILE)
    assert await sweep_files(stops) == 0
    await shift_clock(vault_owner, 6 * 3600)
    assert await sweep_files(stops) > 0
    with pytest.raises(NotFound):
        await imports.store.get(imports.account, left)
    assert (await imports.store.get(imports.account, tried.import_id)).state == "checked"
    await shift_clock(vault_owner, 20 * 3600)
    assert await sweep_files(stops) > 0
    assert (await imports.store.get(imports.account, tried.import_id)).state == "cancelled"
    assert counters(await imports.work(waiting)) == (28, 0, 0, 2)
    assert await sweep_files(stops) == 0
