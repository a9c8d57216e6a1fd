"""Files of every kind that is taken: packed, in JSON Lines, in other encodings."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
import pytest

from core.errors import Superseded
from members.imports import Bounds, run, run_import
from tests.support.imports import Imports, counters
from tests.unit.members.test_compression import zipped

OBJECTS = [
    {"email": "taro@example.jp", "name": "山田\n太郎", "city": "東京都", "age": 33, "plan": "gold"},
    {"email": "hanako@example.jp", "name": "髙木 花子", "age": "1,234"},
    {"email": "not an address", "name": "だれか"},
    {"email": "age@example.jp", "age": "わかい"},
    {"email": "nested@example.jp", "name": {"family": "山田"}},
    {"email": "TARO@example.jp", "name": "二度目"},
]
LINES = b"".join(orjson.dumps(content) + b"\n" for content in OBJECTS) + b"not json\n\n"
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lambda content: lzma.compress(content, preset=0),
    "zip": zipped,
}


@pytest.mark.parametrize("compression", PACKERS)
@pytest.mark.parametrize("block", [50, 1 << 20])
async def test_json_lines_are_taken_however_they_are_packed(imports: Imports, compression: str, block: int) -> None:
    done = await imports.work(await imports.upload(PACKERS[compression](LINES), block=block))
    assert (done.state, done.error, done.format) == ("finished", None, "jsonl")
    assert counters(done) == (2, 0, 0, 5)
    assert (done.rows_done, done.rows_total) == (7, 7)
    taro = await imports.members.by_address(imports.account, "taro@example.jp")
    assert taro.values == {"name": "山田\n太郎", "city": "tokyo", "age": 33, "plan": "gold"}
    hanako = await imports.members.by_address(imports.account, "hanako@example.jp")
    assert hanako.values == {"name": "髙木 花子", "age": 1234}
    rejects = [orjson.loads(line) for line in (await imports.reject_file(done)).splitlines()]
    assert [(reject["line"], reject["reason"]) for reject in rejects] == [
        (3, "email: The address needs a local part, one @ and a domain"),
        (4, "age: Not a number"),
        (5, "name: An object can't be a value: only texts, numbers, true, false and lists of texts can"),
        (6, "The address stands in an earlier line too"),
        (7, "The line is not JSON"),
    ]
    assert rejects[0]["name"] == "だれか"


async def test_corrected_rejects_of_json_lines_are_taken(imports: Imports) -> None:
    done = await imports.through(LINES)
    rejects = [orjson.loads(line) for line in (await imports.reject_file(done)).splitlines()]
    rejects[1]["age"] = 20
    again = await imports.through(orjson.dumps(rejects[1]))
    assert counters(again) == (1, 0, 0, 0)


@pytest.mark.parametrize("compression", PACKERS)
async def test_a_killed_run_of_a_packed_file_is_resumed_to_exact_totals(
    imports: Imports, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "BATCH", 10)
    lines = [orjson.dumps({"email": f"m{number}@example.jp", "age": number}) for number in range(95)]
    lines[50] = b'{"email": "bad"}'
    lines[70] = lines[3]
    import_id = await imports.upload(PACKERS[compression](b"\n".join(lines)), block=100)
    left = iter(range(4))
    with pytest.raises(Superseded):
        await imports.work(import_id, lambda: next(left, None) is not None)
    midway = await imports.store.get(imports.account, import_id)
    assert 0 < midway.rows_done < 95
    done = await imports.work(import_id)
    assert (done.state, counters(done)) == ("finished", (93, 0, 0, 2))


async def test_null_takes_a_value_away(imports: Imports) -> None:
    await imports.through(b'{"email": "a@example.jp", "name": "A", "age": 3}')
    done = await imports.through(b'{"email": "a@example.jp", "name": "B", "age": null}')
    assert counters(done) == (0, 1, 0, 0)
    assert (await imports.members.by_address(imports.account, "a@example.jp")).values == {"name": "B"}


async def test_what_is_said_of_a_file_goes_before_what_is_found(imports: Imports) -> None:
    content = "email,name\nhanako@example.jp,花子\n".encode("utf-16-be")
    assert counters(await imports.through(content)) == (1, 0, 0, 0)
    odd = b'"{""email""",name\na@example.jp,A\n'
    mapping = {'{"email"': "email"}
    assert counters(await imports.through(odd, mapping, format="csv", delimiter=",")) == (1, 0, 0, 0)
    told = await imports.through(gzip.compress(content), compression="none", encoding="utf-8")
    assert told.state == "failed"


BAD_FILES: list[tuple[bytes, dict[str, Any], str]] = [
    (gzip.compress(b"email\na@example.jp\n")[:-9], {}, "cut short"),
    (b"\x1f\x8b" + bytes(50), {}, "broken"),
    (gzip.compress(b"email\n" + b"a@example.jp\n" * 3_000_000), {}, "times as large"),
    (zipped(b"<xml/>", "[Content_Types].xml"), {}, "Excel workbook"),
    (b"\x28\xb5\x2f\xfd" + bytes(50), {}, "zstd"),
]


async def test_a_file_that_can_not_be_unpacked_fails_with_a_sentence_and_writes_nothing(imports: Imports) -> None:
    for content, options, said in BAD_FILES:
        done = await imports.through(content, **options)
        assert (done.state, done.rows_done) == ("failed", 0)
        assert done.error is not None
        assert said in done.error


async def test_the_bounds_are_the_operators(imports: Imports) -> None:
    import_id: UUID = await imports.upload(b"email\n" + b"a@example.jp\n" * 100)
    bounds = Bounds(size=1000, ratio=10)
    await run_import(imports.pool, imports.rings, import_id, imports.new_id, imports.clock, lambda: True, bounds)
    done = await imports.store.get(imports.account, import_id)
    assert done.error == "Unpacked, the file is larger than 1,000 bytes"
