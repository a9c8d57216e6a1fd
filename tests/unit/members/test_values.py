from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from core.errors import InvalidInput
from members.attribute import Attribute, Choice, Definitions
from members.cells import reader
from members.errors import WrongValue
from members.values import check_values, from_json

TOKYO = ZoneInfo("Asia/Tokyo")


def attribute(type_: Any, *choices: Choice, name: str = "x", **more: Any) -> Attribute:
    return Attribute(UUID(int=1), name, name, type_, "sealed", {}, choices, False, False, False, 1, **more)


PLAN = (Choice("gold", {"ja": "ゴールド", "en": "Gold plan"}), Choice("silver", {"ja": "銀"}))


@pytest.mark.parametrize(
    ("type_", "cell", "stored"),
    [
        ("text", "山田\r\n太郎", "山田\n太郎"),
        ("number", "\uff11\uff0c\uff12\uff13\uff14", 1234),
        ("number", "1,234,567.50", 1234567.5),
        ("number", "\u22125", -5),
        ("number", "3.0", 3),
        ("boolean", "はい", True),
        ("boolean", "TRUE", True),
        ("boolean", "\uff11", True),
        ("boolean", "いいえ", False),
        ("boolean", "0", False),
        ("date", "2026-12-01", "2026-12-01"),
        ("date", "2026/12/1", "2026-12-01"),
        ("date", "2026年12月1日", "2026-12-01"),
        ("date", "\uff12\uff10\uff12\uff16/1/2", "2026-01-02"),
        ("datetime", "2026-12-01T09:00:00+09:00", "2026-12-01T00:00:00Z"),
        ("datetime", "2026/12/01 9:00", "2026-12-01T00:00:00Z"),
        ("datetime", "2026年12月1日 9時30分", "2026-12-01T00:30:00Z"),
        ("datetime", "2026年12月1日9時", "2026-12-01T00:00:00Z"),
        ("datetime", "2026-12-01", "2026-11-30T15:00:00Z"),
        ("datetime", "2026-12-01T00:00:00.999Z", "2026-12-01T00:00:00Z"),
        ("choice", "gold", "gold"),
        ("choice", "GOLD PLAN", "gold"),
        ("choice", "\u9280", "silver"),
        ("tags", "赤; 青、緑;赤", ["赤", "青", "緑"]),
    ],
)
def test_cells_are_read_as_people_write_them(type_: str, cell: str, stored: object) -> None:
    read = reader(attribute(type_, *(PLAN if type_ == "choice" else ())), TOKYO)(cell)
    assert (read, type(read)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("type_", "cell"),
    [
        ("text", "x" * 2001), ("text", "a\x00b"), ("text", "a\x1bb"), ("number", "12,34"), ("number", "1e5"),
        ("number", "nan"), ("number", "9" * 16), ("number", "9" * 5000), ("boolean", "maybe"), ("date", "2026-02-30"),
        ("date", "2026/12-01"), ("date", "tomorrow"), ("datetime", "2026/12/01 25:00"), ("datetime", "12:99"),
        ("datetime", "2026年13月1日 9時"), ("choice", "bronze"), ("tags", "x" * 101),
        ("tags", ";".join(map(str, range(101)))),
    ],
)  # fmt: skip
def test_cells_that_do_not_fit_are_refused_without_repeating_them(type_: str, cell: str) -> None:
    with pytest.raises(WrongValue) as caught:
        reader(attribute(type_, *(PLAN if type_ == "choice" else ())), TOKYO)(cell)
    assert cell not in str(caught.value)


def test_tags_with_choices_take_those_alone() -> None:
    read = reader(attribute("tags", *PLAN), TOKYO)
    assert read("ゴールド、silver") == ["gold", "silver"]
    with pytest.raises(WrongValue):
        read("gold;bronze")


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("text", 1), ("text", None), ("number", True), ("number", "1"), ("number", float("inf")), ("boolean", 1),
        ("date", "2026/12/01"), ("date", "2026-13-01"), ("datetime", "2026-12-01T09:00:00"), ("datetime", "2026-12-01"),
        ("datetime", "0001-01-01T00:00:00+09:00"), ("choice", "ゴールド"), ("tags", "red"), ("tags", [1]),
    ],
)  # fmt: skip
def test_json_values_are_judged_strictly(type_: str, value: object) -> None:
    with pytest.raises(WrongValue):
        from_json(attribute(type_, *(PLAN if type_ == "choice" else ())), value)


def test_all_wrong_values_are_named_by_pointer() -> None:
    definitions = Definitions([attribute("number", name="age"), attribute("date", name="day")])
    with pytest.raises(InvalidInput) as caught:
        check_values({"age": "x", "day": "y", "a/b": 1}, definitions)
    assert [fault.pointer for fault in caught.value.faults] == [
        "/attributes/age",
        "/attributes/day",
        "/attributes/a~1b",
    ]
    assert check_values({"age": 1.0, "day": None}, definitions) == {"age": 1}


def test_a_value_is_taken_by_any_name_and_kept_by_its_key_but_not_said_twice() -> None:
    plan = Attribute(
        UUID(int=1), "plan", "tier", "text", "sealed", {}, (), False, False, True, 2, former_names=("plan", "rank")
    )
    definitions = Definitions([plan])
    for name in ("plan", "rank", "tier"):
        assert check_values({name: "gold"}, definitions) == {"plan": "gold"}
    with pytest.raises(InvalidInput) as caught:
        check_values({"tier": "gold", "plan": "silver"}, definitions)
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/attributes/plan", "said-twice")]


def built_in(key: str) -> Attribute:
    return attribute("text", name=key, built_in=True)


@pytest.mark.parametrize(
    ("key", "text", "stored"),
    [
        ("locale", "ja", "ja"), ("locale", "JA_jp", "ja-JP"), ("locale", "zh-hant-tw", "zh-Hant-TW"),
        ("locale", "es-419", "es-419"), ("time_zone", "asia/tokyo", "Asia/Tokyo"), ("time_zone", "UTC", "UTC"),
        ("name", "ja_JP", "ja_JP"),
    ],
)  # fmt: skip
def test_languages_and_zones_are_kept_in_their_own_case(key: str, text: str, stored: str) -> None:
    assert from_json(built_in(key), text) == stored
    assert reader(built_in(key), TOKYO)(text) == stored


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("locale", "japanese"), ("locale", "ja-"), ("locale", "日本語"), ("locale", ""), ("locale", "ja-JP-u-ca"),
        ("time_zone", "Tokyo"), ("time_zone", "../etc/passwd"), ("time_zone", "+09:00"), ("time_zone", ""),
    ],
)  # fmt: skip
def test_what_is_no_language_and_no_zone_is_refused(key: str, text: str) -> None:
    with pytest.raises(WrongValue):
        from_json(built_in(key), text)
    with pytest.raises(WrongValue):
        reader(built_in(key), TOKYO)(text)
    assert from_json(attribute("text", name=key), text) == text
