"""Which letters count as the same where a part of a text is looked for: whatever their case and width.

One code point for one code point, by NFKC and case folding (Unicode 3.13) of the Basic Multilingual Plane where that
yields a single one: full-width, upper-case and plain `t` are one letter, and so are half- and full-width kana. What
would fold to several (a ligature, a half-width kana with its sound mark) stays itself. So a folded text keeps its
length, and a database that knows no NFKC can look for a letter by naming all of its forms.
"""

import unicodedata
from collections.abc import Mapping
from functools import cache

_PLANE = 0x10000
_SURROGATES = range(0xD800, 0xE000)


def fold(text: str) -> str:
    """Return the text with every letter in its one form."""
    if text.isascii():
        return text.lower()
    return text.translate(_table())


@cache
def forms(letter: str) -> tuple[str, ...]:
    """Return all letters that fold to what `letter` folds to, in the order of their code points."""
    return _forms().get(fold(letter), (letter,))


@cache
def _table() -> Mapping[int, str]:
    found = {}
    for code in range(_PLANE):
        letter = chr(code)
        if code in _SURROGATES:
            continue
        folded = unicodedata.normalize("NFKC", letter).casefold()
        if len(folded) == 1 and folded != letter:
            # Once more: a few letters fold to one that folds further.
            again = unicodedata.normalize("NFKC", folded).casefold()
            found[code] = again if len(again) == 1 else folded
    return found


@cache
def _forms() -> Mapping[str, tuple[str, ...]]:
    grouped: dict[str, set[str]] = {}
    for code, folded in _table().items():
        grouped.setdefault(folded, {folded}).add(chr(code))
    return {folded: tuple(sorted(letters)) for folded, letters in grouped.items()}
