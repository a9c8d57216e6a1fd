"""Values of attributes: their stored forms, and which JSON values are taken for them.

Stored forms: text str; number int or float; boolean bool; date "2026-12-01"; datetime "2026-12-01T00:00:00Z" (UTC,
whole seconds, so that order of text is order of time); choice its value; tags a list of texts, each once. Errors say
what is expected, never what was given.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime

from core.errors import Fault, InvalidInput
from members.attribute import Attribute, Definitions
from members.built_in import form_of
from members.errors import WrongValue
from members.profile import Value

MAX_TEXT = 2000
MAX_TAG = 100
MAX_TAGS = 100
MAX_NUMBER = 10**15

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

_EXPECTED = {
    "text": f"A text of at most {MAX_TEXT} characters",
    "number": "A number",
    "boolean": "true or false",
    "date": "A date such as 2026-12-01",
    "datetime": "A time with an offset, such as 2026-12-01T09:00:00+09:00",
    "choice": "One of the attribute's choices",
    "tags": f"At most {MAX_TAGS} texts of at most {MAX_TAG} characters",
}


def check_values(values: Mapping[str, object], definitions: Definitions) -> dict[str, Value]:
    """Check values from JSON, by any name, against the definitions; return them by key, nothings left out.

    Raises InvalidInput with a fault for each, pointers `/attributes/<name>`.
    """
    checked: dict[str, Value] = {}
    faults = []
    said: set[str] = set()
    for name, value in values.items():
        attribute = definitions.named(name)
        pointer = f"/attributes/{name.replace('~', '~0').replace('/', '~1')}"
        if attribute is None:
            faults.append(Fault(pointer, "unknown-attribute", "The account has no such attribute"))
            continue
        if attribute.key in said:
            faults.append(Fault(pointer, "said-twice", f"It is the attribute {attribute.name} by a former name"))
        said.add(attribute.key)
        if not is_nothing(value):
            try:
                checked[attribute.key] = from_json(attribute, value)
            except WrongValue as error:
                faults.append(Fault(pointer, error.code, error.detail))
    if faults:
        raise InvalidInput("The values do not fit the attributes", faults)
    return checked


def is_nothing(value: object) -> bool:
    """Whether a JSON value says that there is none: null, or a list without a tag."""
    return value is None or value == []


def missing_values(values: Mapping[str, Value], definitions: Definitions) -> list[str]:
    """Return the names of required attributes that have no value; `values` are by key."""
    return [attribute.name for key, attribute in definitions.items() if attribute.required and key not in values]


def defaults(definitions: Definitions) -> dict[str, Value]:
    """Return, by key, what a new member has of the attributes that it brings no value of."""
    return {key: attribute.default for key, attribute in definitions.items() if attribute.default is not None}


def from_json(attribute: Attribute, value: object) -> Value:
    """Return the stored form of a JSON value; raise WrongValue."""
    stored: Value | None = None
    match attribute.type:
        case "boolean" if isinstance(value, bool):
            stored = value
        case "number" if isinstance(value, int | float) and not isinstance(value, bool):
            stored = number(value)
        case "text" if isinstance(value, str):
            stored = text_reader(attribute)(value)
        case "date" if isinstance(value, str) and _ISO_DATE.fullmatch(value):
            stored = day(value)
        case "datetime" if isinstance(value, str) and len(value) > len("2026-12-01"):
            stored = _moment(value)
        case "choice" if isinstance(value, str) and any(choice.value == value for choice in attribute.choices):
            stored = value
        case "tags" if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
            stored = tags(value, {choice.value for choice in attribute.choices})
    if stored is None:
        raise WrongValue(_EXPECTED[attribute.type])
    return stored


def text_reader(attribute: Attribute) -> Callable[[str], str]:
    """Return what checks texts of this attribute; it raises WrongValue."""
    form = form_of(attribute)
    return text if form is None else lambda value: form(text(value))


def text(value: str) -> str:
    """Check a text: line breaks and tabs are its only control characters; line breaks become LF."""
    if value.isprintable() and len(value) <= MAX_TEXT:
        return value
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if len(value) > MAX_TEXT:
        raise WrongValue(f"The text is longer than {MAX_TEXT} characters")
    if _CONTROL.search(value):
        raise WrongValue("The text has a control character in it")
    return value


def number(value: float) -> int | float:
    """Check a number: finite, at most 10¹⁵; whole ones become int, so that 1 and 1.0 are the same."""
    if not math.isfinite(value) or abs(value) > MAX_NUMBER:
        raise WrongValue("The number is too large")
    return int(value) if value == int(value) else float(value)


def day(iso: str) -> str:
    """Check that there is such a date."""
    try:
        return date.fromisoformat(iso).isoformat()
    except ValueError:
        raise WrongValue("There is no such date") from None


def moment_in_utc(moment: datetime) -> str:
    """Return the stored form of an aware datetime; parts of a second are dropped."""
    try:
        in_utc = moment.astimezone(UTC)
    except OverflowError:
        raise WrongValue("There is no such time") from None
    return in_utc.replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def _moment(iso: str) -> str:
    try:
        moment = datetime.fromisoformat(iso)
    except ValueError:
        raise WrongValue(_EXPECTED["datetime"]) from None
    if moment.tzinfo is None:
        raise WrongValue(_EXPECTED["datetime"])
    return moment_in_utc(moment)


def tags(values: Iterable[str], allowed: Iterable[str] = ()) -> list[str]:
    """Check tags: each once, in the order given; only `allowed` ones if there are any."""
    found = dict.fromkeys(tag for tag in values if tag)
    permitted = frozenset(allowed)
    if permitted and not found.keys() <= permitted:
        raise WrongValue("Unknown choice")
    if any(len(tag) > MAX_TAG or not tag.isprintable() for tag in found):
        raise WrongValue(f"A tag is a text of at most {MAX_TAG} printable characters")
    if len(found) > MAX_TAGS:
        raise WrongValue(f"More than {MAX_TAGS} tags")
    return list(found)
