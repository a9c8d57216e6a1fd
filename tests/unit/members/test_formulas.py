import pytest
from hypothesis import given
from hypothesis import strategies as st

from members.formulas import disarm, rearm


@given(text=st.text(st.sampled_from("'=+-@\ta1 "), max_size=8) | st.text(max_size=8))
def test_what_is_disarmed_comes_back_as_it_was(text: str) -> None:
    assert rearm(disarm(text)) == text


@given(text=st.text(st.sampled_from("'=+-@\t\r\0a "), max_size=8))
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert disarm(text)[:1] not in set("=+-@\t\r\0")


@pytest.mark.parametrize("text", ["", "a", "a=b", "'tis", "''", "1"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert disarm(text) == rearm(text) == text
