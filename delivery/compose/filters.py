"""The closed list of filters and tests that a template may use, each bounded in what it makes of its input.

Jinja's own are not used: `center`, `indent`, `format` and others make as much memory as they are asked for, `safe`
would let a member's value be markup, `map` and `attr` reach into objects. A missing value arrives as the empty text.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from types import MappingProxyType
from urllib.parse import quote

from delivery.compose.bounds import MAX_TEXT, OutOfBounds, text_within_bounds

Filter = Callable[..., object]

MAX_DATE_FORMAT = 64
_DIRECTIVE = re.compile(r"%-?.?", re.DOTALL)


class Unsuitable(Exception):  # noqa: N818 - named by meaning
    """A filter was given a value of a kind that it can't take; the text says which, never the value."""


def to_text(value: object) -> str:
    """Return what a value prints as: nothing for a missing one, tags joined by commas."""
    if type(value) is str:
        return text_within_bounds(value)
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return text_within_bounds(", ".join(map(to_text, value)))
    return text_within_bounds(str(value))


def _default(value: object, fallback: object = "") -> object:
    return fallback if _is_empty(value) else value


def _upper(value: object) -> str:
    return to_text(value).upper()


def _lower(value: object) -> str:
    return to_text(value).lower()


def _title(value: object) -> str:
    return to_text(value).title()


def _capitalize(value: object) -> str:
    return to_text(value).capitalize()


def _trim(value: object) -> str:
    return to_text(value).strip()


def _truncate(value: object, length: int = 255, end: str = "…") -> str:
    text = to_text(value)
    return text if len(text) <= length else text[: max(0, length - len(end))] + end


def _replace(value: object, old: str, new: str) -> str:
    text, new = to_text(value), to_text(new)
    if not old:
        raise Unsuitable("replace needs a text to look for")
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_TEXT:
        raise OutOfBounds(f"a value has more than {MAX_TEXT} characters")
    return text.replace(old, new)


def _join(value: object, separator: str = ", ") -> str:
    items = [to_text(item) for item in _items(value)]
    if sum(map(len, items)) + len(items) * len(separator) > MAX_TEXT:
        raise OutOfBounds(f"a value has more than {MAX_TEXT} characters")
    return separator.join(items)


def _length(value: object) -> int:
    return len(_items(value))


def _first(value: object) -> object:
    return next(iter(_items(value)), "")


def _last(value: object) -> object:
    items = _items(value)
    return items[-1] if items else ""


def _int(value: object, default: int = 0) -> int:
    if not isinstance(value, str | int | float):
        return default
    for parse in (int, float):
        try:
            return int(parse(value))
        except (ValueError, OverflowError):
            continue
    return default


def _round(value: object, digits: int = 0) -> float:
    return round(_number(value), max(0, min(digits, 9)))


def _abs(value: object) -> float:
    return abs(_number(value))


def _grouped(value: object) -> str:
    """1234567 becomes 1,234,567; what is no number stays as it is."""
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else to_text(value)


def _date(value: object, pattern: str = "%Y-%m-%d") -> str:
    """Print a date by %Y %m %d %H %M, or %-m %-d without leading zeros.

    Only these: the C library's strftime takes widths, so that `%999999999d` would be a gigabyte.
    """
    if _is_empty(value):
        return ""
    if len(pattern) > MAX_DATE_FORMAT:
        raise OutOfBounds(f"a date's pattern has more than {MAX_DATE_FORMAT} characters")
    try:
        when = value if isinstance(value, date) else datetime.fromisoformat(to_text(value))
    except ValueError:
        raise Unsuitable("date needs a date") from None
    hour, minute = (when.hour, when.minute) if isinstance(when, datetime) else (0, 0)
    parts = {
        "%Y": f"{when.year:04}",
        "%m": f"{when.month:02}",
        "%d": f"{when.day:02}",
        "%-m": str(when.month),
        "%-d": str(when.day),
        "%H": f"{hour:02}",
        "%M": f"{minute:02}",
        "%%": "%",
    }

    def part(found: re.Match[str]) -> str:
        try:
            return parts[found[0]]
        except KeyError:
            raise Unsuitable("date knows only %Y %m %d %-m %-d %H %M") from None

    return _DIRECTIVE.sub(part, pattern)


def _urlencode(value: object) -> str:
    return quote(to_text(value).encode("utf-8", "replace"), safe="")


def _items(value: object) -> str | list[object] | tuple[object, ...]:
    if isinstance(value, str | list | tuple):
        return value
    raise Unsuitable("a list or a text is needed")


def _number(value: object) -> int | float:
    if isinstance(value, int | float):
        return value
    raise Unsuitable("a number is needed")


def _is_empty(value: object) -> bool:
    return value is None or value == "" or (isinstance(value, list | tuple) and not value)


FILTERS: Mapping[str, Filter] = MappingProxyType(
    {
        "abs": _abs,
        "capitalize": _capitalize,
        "d": _default,
        "date": _date,
        "default": _default,
        "first": _first,
        "int": _int,
        "join": _join,
        "last": _last,
        "length": _length,
        "lower": _lower,
        "number": _grouped,
        "replace": _replace,
        "round": _round,
        "title": _title,
        "trim": _trim,
        "truncate": _truncate,
        "upper": _upper,
        "urlencode": _urlencode,
    }
)

TESTS: Mapping[str, Callable[..., bool]] = MappingProxyType(
    {
        # A member without the attribute has no value for it: that is what a template's author asks by these.
        "defined": lambda value: not _is_empty(value),
        "empty": _is_empty,
        "even": lambda value: _number(value) % 2 == 0,
        "in": lambda value, container: value in _items(container),
        "none": _is_empty,
        "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "odd": lambda value: _number(value) % 2 == 1,
        "string": lambda value: isinstance(value, str),
        "undefined": _is_empty,
    }
)

LOOP_FACTS = frozenset({"index", "index0", "first", "last", "length", "revindex", "revindex0"})
"""What a loop knows of itself."""

METHODS = frozenset(
    {"upper", "lower", "title", "capitalize", "strip", "lstrip", "rstrip", "startswith", "endswith"},
)
"""The methods of a text that may be called: none makes more than three times what it is given."""
