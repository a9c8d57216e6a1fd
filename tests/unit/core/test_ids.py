from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import FixedClock
from core.errors import NotFound
from core.ids import IdSource, decode, encode, uuid7

AT = datetime(2026, 11, 21, tzinfo=UTC)


def test_an_id_is_a_uuid_of_version_7_that_holds_its_millisecond() -> None:
    made = uuid7(0x0123456789AB, b"\xff" * 10)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == 0x0123456789AB


def test_ids_increase_within_a_millisecond_and_when_the_clock_goes_back() -> None:
    clock = FixedClock(AT)
    source = IdSource(clock)
    made = source.many(1_000)
    clock.advance(-5)
    made.append(source())
    clock.advance(10)
    made.append(source())
    assert made == sorted(set(made))
    assert all(one.version == 7 for one in made)


@given(st.uuids())
def test_an_id_shown_outside_is_read_back_and_keeps_its_order(value: UUID) -> None:
    shown = encode("mem", value)
    assert len(shown) == 30
    assert decode("mem", shown) == value


@given(st.uuids(), st.uuids())
def test_shown_ids_sort_as_their_values(a: UUID, b: UUID) -> None:
    assert (a < b) == (encode("x", a) < encode("x", b))


@pytest.mark.parametrize(
    "text",
    ["", "mem", "mem_", "cmp_" + "0" * 26, "mem_" + "0" * 25, "mem_" + "0" * 27, "mem_" + "u" * 26, "mem_" + "z" * 26],
)
def test_a_wrong_kind_or_text_is_a_thing_that_is_not_there(text: str) -> None:
    with pytest.raises(NotFound):
        decode("mem", text)
