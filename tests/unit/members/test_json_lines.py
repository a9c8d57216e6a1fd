from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.attribute import Attribute, AttributeType, Choice, Definitions
from members.imports.columns import Reject, Row
from members.imports.encoding import Decoder
from members.imports.objects import LineReader, ObjectLayout
from members.imports.records import MAX_RECORD, Record


def read(text: str, cut: int = 10**9) -> list[Record]:
    reader = LineReader()
    records = [record for start in range(0, len(text), cut) for record in reader.feed(text[start : start + cut])]
    return records + list(reader.close())


def attribute(name: str, type_: AttributeType, *choices: Choice) -> Attribute:
    return Attribute(UUID(int=1), name, name, type_, "sealed", {}, choices, False, False, False, 1)


DEFINITIONS = Definitions(
    [
        attribute("name", "text"),
        attribute("age", "number"),
        attribute("vip", "boolean"),
        attribute("joined", "date"),
        attribute("tags", "tags"),
        attribute("city", "choice", Choice("tokyo", {"ja": "東京都"})),
    ]
)


def taken(content: object, mapping: dict[str, str] | None = None) -> Row | Reject:
    layout = ObjectLayout(mapping or {}, DEFINITIONS, "Asia/Tokyo")
    (record,) = read(orjson.dumps(content).decode())
    return layout.read(record)


@given(
    lines=st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=20)),
    cut=st.integers(1, 30),
)
def test_lines_are_the_same_however_the_stream_is_cut(lines: list[str], cut: int) -> None:
    text = "\n".join(lines)
    assert read(text, cut) == read(text)
    assert [record.line for record in read(text)] == [
        number for number, line in enumerate(lines, 1) if line and not line.isspace()
    ]


def test_values_have_their_types_and_dates_may_be_written_as_people_do() -> None:
    row = taken(
        {
            "Email": "taro@example.jp",
            "name": " 山田 ",
            "age": 30,
            "vip": True,
            "joined": "2026/12/1",
            "tags": ["a", "b;c"],
            "city": "東京都",
            "shoe": {"size": 9},
        }
    )
    assert isinstance(row, Row)
    assert row.address.mailbox == "taro@example.jp"
    assert row.values == {
        "name": " 山田 ",
        "age": 30,
        "vip": True,
        "joined": "2026-12-01",
        "tags": ["a", "b;c"],
        "city": "tokyo",
    }


def test_null_takes_a_value_away_and_an_empty_text_brings_none_but_where_texts_are_kept() -> None:
    row = taken({"email": "a@example.jp", "name": "", "age": None, "tags": [], "joined": ""})
    assert isinstance(row, Row)
    assert (row.values, row.removed) == ({"name": ""}, {"age", "tags"})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "email: The address is missing"),
        ({"email": None}, "email: The address is missing"),
        ({"email": 7}, "email: The address is a text"),
        ({"email": "a@example.jp", "name": {"first": "A"}}, "name: An object can't be a value"),
        ({"email": "a@example.jp", "tags": [["a"]]}, "tags: At most"),
        ({"email": "a@example.jp", "age": "old"}, "age: Not a number"),
        ({"email": "a@example.jp", "vip": 1}, "vip: true or false"),
        ({"email": "a@example.jp", "EMAIL": "b@example.jp"}, "email: Two keys"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(content: object, reason: str) -> None:
    reject = taken(content)
    assert isinstance(reject, Reject)
    assert reject.reason.startswith(reason)


def test_keys_are_mapped() -> None:
    row = taken({"メール": "a@example.jp", "name": "passed over", "歳": 3}, {"メール": "email", "歳": "age"})
    assert isinstance(row, Row)
    assert row.values == {"age": 3}


@pytest.mark.parametrize("line", ["[]", "7", '{"email"', "nothing", '{"email": "a@example.jp"} x', '{"a": NaN}'])
def test_a_line_that_is_no_object_costs_itself_alone(line: str) -> None:
    records = read(f'{line}\n{{"email": "a@example.jp"}}\n')
    assert [record.fault is None for record in records] == [False, True]


def test_a_line_without_end_is_not_kept() -> None:
    text = '{"email": "' + "x" * (3 * MAX_RECORD) + '"}\n{"email": "a@example.jp"}'
    records = read(text, 10_000)
    assert [record.fault is None for record in records] == [False, True]
    assert len(records[0].fields[0]) <= MAX_RECORD


def test_the_reject_file_can_be_sent_in_again() -> None:
    layout = ObjectLayout({}, DEFINITIONS, "Asia/Tokyo")
    lines = '{"email": "bad", "age": 3}\n{"email"\n'
    rejects = [read_ for record in read(lines) if isinstance(read_ := layout.read(record), Reject)]
    written = [orjson.loads(line) for line in layout.reject_lines(rejects).splitlines()]
    assert written[0] == {"email": "bad", "age": 3, "line": 1, "reason": rejects[0].reason}
    assert written[1] == {"record": '{"email"', "line": 2, "reason": "The line is not JSON"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp932"])
@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_decoder_takes_off_the_mark_and_finds_the_order_of_bytes(encoding: str, cut: int) -> None:
    text = "email,氏名\r\n" * 50
    name = {"utf-8-sig": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16"}.get(encoding, encoding)
    content, decoder = text.encode(encoding), Decoder(name)
    pieces = [decoder.decode(content[start : start + cut]) for start in range(0, len(content), cut)]
    assert "".join(pieces) + decoder.decode(b"", final=True) == text


@given(content=st.binary(max_size=600), encoding=st.sampled_from(["utf-8", "cp932", "utf-16"]))
def test_no_bytes_break_a_decoder(content: bytes, encoding: str) -> None:
    decoder = Decoder(encoding)
    decoder.decode(content[:300])
    decoder.decode(content[300:], final=True)
