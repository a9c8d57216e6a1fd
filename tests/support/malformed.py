"""Files as they should not be: whole ones of every kind, broken in one to four places. A number makes a file."""

import bz2
import gzip
import io
import lzma
import random
import zipfile
from collections.abc import Callable

import orjson

_TEXTS = (
    "",
    "山田 太郎",
    "=1+1",
    "a,b",
    'say "x"',
    "line\nbreak",
    "\t",
    "'",
    "9" * 30,
    "\u0000",
    "😀",
    "ﾀﾅｶ",
    " x ",
    "[]",
)
_ADDRESSES = (
    "a@example.jp",
    "taro.@docomo.ne.jp",
    "x@",
    "@",
    "",
    "\uff21@example.jp",
    "a@b@c",
    "é@例え.jp",
    "a" * 300 + "@x.jp",
)
_CELLS = (
    "1",
    "1,234",
    "-5",
    "true",
    "はい",
    "2026-12-01",
    "2026/2/30",
    "2026年1月1日",
    "9時",
    "1e9",
    "nan",
    "null",
    "𠮷",
)
_SPLICES = (
    b'"',
    b",",
    b"\n",
    b"\r",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"{",
    b"}",
    b"\\u0000",
    b"\\ud800",
    b"\x1f\x8b",
    b"\x81",
)
_COLUMNS = ("email", "name", "age", "vip", "joined", "met", "city", "tags", "shoe")


def malformed(seed: int) -> list[bytes]:
    """Return the blocks of a file, of which few can be read as they were meant."""
    chance = random.Random(seed)
    content = _objects(chance) if chance.random() < 0.4 else _sheet(chance)
    if chance.random() < 0.4:
        content = _broken(content, chance)
    content = chance.choice(_PACKERS)(content)
    if chance.random() < 0.4:
        content = _broken(content, chance)
    cut = chance.choice((17, 100, 100_000, 100_000))
    return [content[start : start + cut] for start in range(0, len(content), cut)]


def _value(column: str, chance: random.Random) -> str:
    if column == "email":
        return chance.choice(_ADDRESSES) if chance.random() < 0.2 else f"m{chance.randrange(50)}@example.jp"
    return chance.choice(_TEXTS if chance.random() < 0.4 else _CELLS)


def _sheet(chance: random.Random) -> bytes:
    columns = list(_COLUMNS[: chance.randrange(1, len(_COLUMNS) + 1)])
    if chance.random() < 0.2:
        chance.shuffle(columns)
    delimiter = chance.choice((",", "\t", ";"))
    rows = [columns, *([_value(column, chance) for column in columns] for _ in range(chance.randrange(6)))]
    lines = (delimiter.join(_quoted(cell, chance) for cell in row) for row in rows)
    text = chance.choice(("\r\n", "\n", "\r")).join(lines)
    return text.encode(chance.choice(("utf-8", "utf-8-sig", "cp932", "utf-16", "utf-16-be")), "replace")


def _quoted(cell: str, chance: random.Random) -> str:
    return cell if chance.random() < 0.3 else '"' + cell.replace('"', '""') + '"'


def _objects(chance: random.Random) -> bytes:
    lines = []
    for _ in range(chance.randrange(1, 6)):
        content: dict[str, object] = {
            column: chance.choice((_value(column, chance), chance.randrange(9), None, True, 1.5, [], ["a"], {"a": [1]}))
            for column in _COLUMNS
            if chance.random() < 0.6
        }
        if chance.random() < 0.8:
            content["email"] = _value("email", chance)
        lines.append(orjson.dumps(content))
    return b"\n".join(lines)


def _broken(content: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randrange(1, 5)):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(5):
            case 0:
                content = content[:place] + bytes([chance.randrange(256)]) + content[place + 1 :]
            case 1:
                content = content[:place] + content[place + chance.randrange(1, 9) :]
            case 2:
                content = content[:place] + chance.choice(_SPLICES) + content[place:]
            case 3:
                content = content[:place] + content[place - chance.randrange(1, 99) : place] + content[place:]
            case _:
                content = content[: max(place, 1)]
    return content


def _zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("members.csv", content)
    return out.getvalue()


_PACKERS: tuple[Callable[[bytes], bytes], ...] = (
    bytes,
    bytes,
    bytes,
    lambda content: gzip.compress(content, 1),
    bz2.compress,
    lambda content: lzma.compress(content, preset=0),
    _zipped,
)
