import pytest

from core.errors import InvalidInput
from deploy.operating.spans import LONGEST, parse, shown


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15min", 900), ("2h", 7_200), ("3d", 259_200), (" 1s ", 1), ("1.5h", 5_400), ("366d", LONGEST)],
)
def test_a_span_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "2H", "-1h", "0s", "2m", "367d", "9999999h", "2h30min", "1e3s"])
def test_another_form_nothing_and_more_than_a_year_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="90s, 15min, 2h or 3d"):
        parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "120 min"), (7_200, "2 h"), (172_800, "2 d")],
)
def test_a_span_is_shown_in_the_greatest_unit_of_which_there_are_two(seconds: float, text: str) -> None:
    assert shown(seconds) == text
