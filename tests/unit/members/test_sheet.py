from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.attribute import Attribute, AttributeType, Definitions
from members.imports import sheet
from members.imports.layout import read_each
from members.imports.records import Record
from members.imports.sheet import SheetLayout


def attribute(name: str, kind: AttributeType) -> Attribute:
    return Attribute(UUID(int=1), name, name, kind, "sealed", {}, (), False, False, False, 1)


DEFINITIONS = Definitions([attribute("name", "text"), attribute("age", "number"), attribute("tags", "tags")])
HEADER = ["email", "name", "age", "note", "tags"]
CELLS = st.sampled_from(["", " ", "30", " 30 ", "\uff13\uff10", "x", "taro", "a;b", ";", "\x00", "1\n2", "=1", "'=1"])
ADDRESSES = st.sampled_from(["a@x.jp", "B@X.jp", " c@x.jp", "\uff44@x.jp", "d@@", "", "e@x.jp\nf@x.jp"])
WHOLE = st.tuples(ADDRESSES, CELLS, CELLS, CELLS, CELLS).map(list)
FIELDS = WHOLE | WHOLE | st.lists(CELLS, max_size=7)
FAULTS = st.sampled_from([None, None, None, "The quotes of this line do not match"])


@given(st.lists(st.tuples(FIELDS, FAULTS), max_size=8))
def test_records_read_together_come_to_what_each_comes_to_by_itself(found: list[tuple[list[str], str | None]]) -> None:
    records = [Record(line, fields, fault) for line, (fields, fault) in enumerate(found, 2)]
    together = SheetLayout(HEADER, {}, DEFINITIONS, "Asia/Tokyo")
    alone = SheetLayout(HEADER, {}, DEFINITIONS, "Asia/Tokyo")
    assert together.read_all(records) == read_each(alone.read, records)
    # Once more, when the cells are remembered.
    assert together.read_all(records) == read_each(alone.read, records)


def test_a_file_of_addresses_alone_is_read() -> None:
    layout = SheetLayout(["email"], {}, DEFINITIONS, "Asia/Tokyo")
    (row,), rejects = layout.read_all([Record(2, ["taro@example.jp"], None)])
    assert (row.address.mailbox, row.values, rejects) == ("taro@example.jp", {}, [])


def test_what_is_remembered_of_cells_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet, "_REMEMBERED", 30)
    layout = SheetLayout(HEADER, {}, DEFINITIONS, "Asia/Tokyo")
    cells = ["x" * 65, *(f"a cell {number}" for number in range(20))]
    rows, _ = layout.read_all([Record(2, [f"m{len(cell)}@x.jp", cell, "", "", cell], None) for cell in cells])
    assert [row.values["name"] for row in rows] == cells
    assert {target.name: list(target.known) for target in layout._targets} == {
        "name": cells[1:8],
        "age": [],
        "tags": cells[1:8],
    }
