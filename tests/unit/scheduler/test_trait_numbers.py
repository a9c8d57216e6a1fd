"""Numbers of traits and cells: stable over slices, and bounded whatever members have."""

import json
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from members.traits import Traits
from scheduler.traits import MOST_CELLS, MOST_VALUES, NAMELESS, Numbering, Trait

SEGMENT, GROUP = UUID(int=1), UUID(int=2)
ASKED = Traits(("plan",), ((SEGMENT, "$"),), (GROUP,))
KEYS = st.builds(
    lambda plan, held, grouped: json.dumps([plan, held, *grouped]),
    st.none() | st.sampled_from(["free", "paid"]) | st.text(max_size=3),
    st.sampled_from(["true", "false"]),
    st.just([]) | st.just([str(GROUP)]),
)


def cells_of(numbering: Numbering) -> dict[int, tuple[int, ...]]:
    return {cell.no: cell.traits for cell in numbering.new_cells}


def test_a_key_is_told_as_its_value_its_segments_and_its_groups() -> None:
    numbering = Numbering(ASKED, {}, {})
    told = numbering.add(['["free","true"]', f'[null,"false","{GROUP}"]'])
    assert list(told.values()) == [1, 2]
    assert list(numbering.new_traits) == [
        Trait("attribute", "plan", "value", "free"),
        Trait("segment", "", "value", str(SEGMENT)),
        Trait("group", "", "none", None),
        Trait("attribute", "plan", "none", None),
        Trait("segment", "", "none", None),
        Trait("group", "", "value", str(GROUP)),
    ]
    assert cells_of(numbering) == {1: (1, 2, 3), 2: (4, 5, 6)}


def test_a_value_too_many_or_too_long_is_other() -> None:
    numbering = Numbering(Traits(("city",)), {}, {})
    numbering.add([json.dumps(["x" * 101]), *(json.dumps([f"city {n}"]) for n in range(MOST_VALUES + 5))])
    assert len(numbering.traits) == MOST_VALUES + 1
    assert Trait("attribute", "city", "other", None) in numbering.traits


def test_a_combination_too_many_goes_to_one_cell_that_is_of_no_name() -> None:
    full = {f"{n}": n for n in range(1, MOST_CELLS + 1)}
    numbering = Numbering(Traits(("city",)), {}, dict(full))
    told = numbering.add(['["a"]', '["b"]'])
    assert set(told.values()) == {MOST_CELLS + 1}
    assert cells_of(numbering) == {MOST_CELLS + 1: (NAMELESS,)}


@given(st.lists(KEYS, max_size=30), st.lists(KEYS, max_size=30))
def test_what_a_later_slice_brings_goes_on_where_the_first_one_ended(first: list[str], second: list[str]) -> None:
    before = Numbering(ASKED, {}, {})
    before.add(first)
    after = Numbering(ASKED, dict(before.traits), dict(before.cells))
    after.add(second)
    at_once = Numbering(ASKED, {}, {})
    at_once.add([*first, *second])
    assert (after.traits, after.cells) == (at_once.traits, at_once.cells)
    assert all(len(cell.traits) == 3 for cell in at_once.new_cells)
