import re

from members.rules.folding import fold, forms
from members.rules.jsonpath import pattern

PLANE = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]


def test_case_and_width_make_no_difference() -> None:
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in "TOKYO")
    assert fold(wide) == fold("Tokyo") == "tokyo"
    assert fold("ﾀﾜｰ") == "タワー"
    assert fold("東京") == "東京"


def test_a_folded_text_is_as_long_and_folds_no_further() -> None:
    for letter in PLANE:
        folded = fold(letter)
        assert len(folded) == 1
        assert fold(folded) == folded


def test_the_forms_of_a_letter_are_all_that_fold_to_what_it_folds_to() -> None:
    alike: dict[str, set[str]] = {}
    for letter in PLANE:
        alike.setdefault(fold(letter), set()).add(letter)
    for folded, letters in alike.items():
        for letter in letters:
            assert set(forms(letter)) == letters | {folded}


def test_a_pattern_finds_the_text_in_every_form_and_takes_no_letter_for_more_than_itself() -> None:
    for text in ("Tokyo", "a.b*c", "[x]^-", "(1|2)?+{3}$\\", "ﾀﾜｰ"):
        found = re.compile(pattern(text))
        assert found.search(f"-{text.upper()}-")
        assert found.search(f"-{fold(text)}-")
        assert not found.search(text[:-1])
    assert not re.search(pattern("a.b"), "axb")
