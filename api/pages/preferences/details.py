"""The fields of a profile that an account opens to its members, as a form shows and reads them. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from api.pages.forms import Form
from members.attribute import Attribute, AttributeType, Definitions
from members.profile import Value

_PREFIX = "detail-"
_NARROW = frozenset({"number", "date"})
_SEPARATORS = str.maketrans({"、": ",", "\uff0c": ",", "\n": ","})


@dataclass(frozen=True, slots=True)
class Detail:
    """A field: `shown` is what stands in it, `options` value and label of each choice."""

    name: str
    label: str
    type: AttributeType
    required: bool
    shown: str
    options: tuple[tuple[str, str], ...]


def details_of(
    definitions: Definitions, values: Mapping[str, Value], language: str, form: Form | None = None
) -> list[Detail]:
    """Return the fields that members may change, with a member's values (by name) or what a form said instead."""
    return [
        Detail(
            attribute.name,
            label(attribute.label, attribute.name, language),
            attribute.type,
            attribute.required,
            form.text(_PREFIX + attribute.name) if form else _text(values.get(attribute.name)),
            tuple((choice.value, label(choice.label, choice.value, language)) for choice in attribute.choices),
        )
        for attribute in _open(definitions)
    ]


def read_details(definitions: Definitions, form: Form) -> dict[str, Any]:
    """Return what a form says of the fields that members may change, by name, as JSON has it; None: nothing.

    What does not fit its attribute is left to the store to refuse, all of it at once.
    """
    return {attribute.name: _read(attribute, form) for attribute in _open(definitions)}


def _open(definitions: Definitions) -> list[Attribute]:
    return [attribute for attribute in definitions.values() if attribute.member_editable]


def _read(attribute: Attribute, form: Form) -> object:
    name = _PREFIX + attribute.name
    text = form.narrow(name) if attribute.type in _NARROW else form.text(name)
    if attribute.type == "boolean":
        return form.has(name)
    if attribute.type == "tags":
        tags = (tag.strip() for each in form.every(name) for tag in each.translate(_SEPARATORS).split(","))
        return [tag for tag in tags if tag]
    return _READERS.get(attribute.type, str)(text) if text else None


def _number(text: str) -> float | str:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return text


def _moment(text: str) -> str:
    # The browser's field names no zone: it is read as UTC, as it is shown.
    return text if text.endswith("Z") else f"{text}Z"


_READERS: Mapping[AttributeType, Callable[[str], object]] = {"number": _number, "datetime": _moment}


def _text(value: Value | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "on" if value else ""
        case list():
            return ", ".join(value)
        case _:
            return str(value)


def label(labels: Mapping[str, str], name: str, language: str) -> str:
    """Return a label in a language, else in any that there is, else the name."""
    return labels.get(language) or next(iter(labels.values()), name)
