"""The fields of an account's sign-up form: its attributes with `ask_at_signup`, and what was typed into each. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.pages.forms import Form
from core.errors import InvalidInput
from members.attribute import Attribute, Definitions
from members.built_in import LOCALE
from members.values import check_values, missing_values

ADDRESS = "email"
PREFIX = "a."
"""Before an attribute's name, so that no attribute can have the name of another field."""

_AUTOCOMPLETE = {
    "name": "name",
    "family_name": "family-name",
    "given_name": "given-name",
    "nickname": "nickname",
    "postal_code": "postal-code",
    "prefecture": "address-level1",
    "city": "address-level2",
    "tel": "tel",
    "phone": "tel",
    "company": "organization",
    "birthday": "bday",
}
_FAMILY_FIRST = ("family_name", "family_name_kana", "given_name", "given_name_kana")
_KANA = re.compile(r"(^|_)(kana|furigana)$")
_SMALL = 5
"""Choices up to which each has a button of its own."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field as it is shown. `kind`: text, number, date, datetime-local, yes-no, choice or many."""

    id: str
    label: str
    kind: str
    required: bool
    options: tuple[tuple[str, str], ...]
    autocomplete: str
    is_name: bool
    is_kana: bool


def asked(definitions: Definitions) -> list[Attribute]:
    """Return the attributes that a form asks for: family name first, each name followed by how it is read.

    A member's language is that of the form, so it is never asked for.
    """
    found = [one for one in definitions.values() if one.ask_at_signup and not (one.built_in and one.key == LOCALE)]
    return sorted(found, key=_place)


def field(attribute: Attribute, language: str) -> Field:
    """Return an attribute as a field in a language."""
    return Field(
        id=PREFIX + attribute.name,
        label=said(attribute.label, language, attribute.name),
        kind=_kind(attribute),
        required=attribute.required,
        options=tuple((one.value, said(one.label, language, one.value)) for one in attribute.choices),
        autocomplete=_AUTOCOMPLETE.get(attribute.name, ""),
        is_name=attribute.name == "name",
        is_kana=_is_kana(attribute),
    )


def said(label: Mapping[str, str], language: str, otherwise: str) -> str:
    """Return a label in this language, else in whichever there is, else the name."""
    return label.get(language) or next(iter(label.values()), otherwise)


def typed(form: Form, attributes: Iterable[Attribute]) -> dict[str, Any]:
    """Return what was typed, as JSON values by attribute name; empty fields are left out."""
    values: dict[str, Any] = {}
    for attribute in attributes:
        value = _typed(form, attribute)
        if value not in (None, "", []):
            values[attribute.name] = value
    return values


def faults(values: Mapping[str, Any], attributes: Sequence[Attribute]) -> dict[str, str]:
    """Return what is wrong with the values, a code by field id: `required`, or what a value's own check says."""
    definitions = Definitions(attributes)
    wrong: dict[str, str] = {}
    checked: dict[str, Any] = {}
    for name, value in values.items():
        try:
            checked |= check_values({name: value}, definitions)
        except InvalidInput:
            wrong[PREFIX + name] = "wrong"
            checked[name] = value
    held = {one.key for one in attributes if one.name in values} | checked.keys()
    missing = missing_values(dict.fromkeys(held, True), definitions)
    return wrong | {PREFIX + name: "required" for name in missing if PREFIX + name not in wrong}


def _typed(form: Form, attribute: Attribute) -> Any:
    name = PREFIX + attribute.name
    match attribute.type:
        case "number":
            return _number(form.narrow(name))
        case "boolean":
            return {"yes": True, "no": False}.get(form.text(name))
        case "date":
            return form.narrow(name).replace("/", "-").replace(".", "-")
        case "datetime":
            # A browser's field knows no zone; the account's members are told which one is meant by the label.
            text = form.narrow(name)
            return f"{text}:00Z" if len(text) == len("2026-12-01T09:00") else text
        case "tags":
            return [one for one in form.every(name) if one][:100]
        case _:
            return _katakana(form.narrow(name)) if _is_kana(attribute) else form.text(name)


def _number(text: str) -> Any:
    if not text:
        return None
    try:
        return float(text.replace(",", "")) if "." in text else int(text.replace(",", ""))
    except ValueError:
        # No number: its own check says so.
        return text


def _katakana(text: str) -> str:
    """Write hiragana as katakana: how a name is read is kept in one script."""
    return "".join(chr(ord(one) + 0x60) if "ぁ" <= one <= "ゖ" else one for one in text)


def _kind(attribute: Attribute) -> str:
    match attribute.type:
        case "boolean":
            return "yes-no"
        case "datetime":
            return "datetime-local"
        case "tags":
            return "many" if attribute.choices else "text"
        case "choice" if len(attribute.choices) <= _SMALL:
            return "few"
        case kind:
            return kind


def _is_kana(attribute: Attribute) -> bool:
    return attribute.type == "text" and _KANA.search(attribute.name) is not None


def _place(attribute: Attribute) -> tuple[int, int]:
    name = attribute.name
    if name in _FAMILY_FIRST:
        return (0, _FAMILY_FIRST.index(name))
    return (0, -1) if name == "name" or _is_kana(attribute) else (1, 0)
