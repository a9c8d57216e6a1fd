"""The words of the pages: whole in every language, and each with the same holes as its English."""

import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2 import Environment

from api.pages import page
from api.pages.language import load_catalogues

PAGES = Path(page.__file__).parent
_HOLES = re.compile(r"%\(\w+\)s")


def asked_for() -> set[str]:
    """Every text that a template or a module asks the catalogue for."""
    found: set[str] = set()
    templates = Environment(autoescape=True, extensions=["jinja2.ext.i18n"])
    for path in sorted(PAGES.rglob("*.html")):
        for _, _, said in templates.extract_translations(path.read_text(encoding="utf-8")):  # type: ignore[attr-defined]
            found.add(said if isinstance(said, str) else said[0])
    for path in sorted(PAGES.rglob("*.py")):
        for _, message, _, _ in extract("python", BytesIO(path.read_bytes()), keywords={"_": None}):
            found.add(message if isinstance(message, str) else message[0])
    return found


def catalogue(language: str) -> dict[str, list[str]]:
    with (PAGES / "locale" / language / "LC_MESSAGES" / "pages.po").open("rb") as file:
        read = read_po(file, locale=language)
    return {
        (one.id if isinstance(one.id, str) else one.id[0]): [one.string]
        if isinstance(one.string, str)
        else [*one.string]
        for one in read
        if one.id
    }


def test_every_text_is_translated_and_nothing_is_left_over() -> None:
    assert catalogue("ja").keys() == asked_for()
    assert all(text for texts in catalogue("ja").values() for text in texts)


def test_a_translation_has_the_holes_of_its_original() -> None:
    for original, texts in catalogue("ja").items():
        for text in texts:
            assert set(_HOLES.findall(text)) == set(_HOLES.findall(original)), original


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_catalogue_is_compiled_as_the_process_starts(language: str) -> None:
    assert load_catalogues()[language].gettext("Page not found") in {"Page not found", "ページが見つかりません"}
