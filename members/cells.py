"""Values as people and Excel write them in the cells of a file, read into their stored forms."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import datetime, time, tzinfo
from functools import lru_cache

from members.attribute import Attribute
from members.errors import WrongValue
from members.profile import Value
from members.values import day, moment_in_utc, number, tags, text_reader

Reader = Callable[[str], Value]

_NUMBER = re.compile(r"[+-]?(?:\d{1,3}(?:,\d{3})+|\d{1,20})(\.\d{1,20})?", re.ASCII)
_DATE = re.compile(r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|年(\d{1,2})月(\d{1,2})日)", re.ASCII)
_TIME = re.compile(r"(\d{1,2})(?::(\d{2})(?::(\d{2}))?|時(?:(\d{1,2})分)?(?:(\d{1,2})秒)?)", re.ASCII)
_DATE_AND_TIME = re.compile(r"(.{8,11}?日|[0-9/.-]{8,10})(?:[ T]?(\d{1,2}[:時].*))?")
_TAG_SEPARATOR = re.compile("[;\uff1b、]")
_SIGNS = str.maketrans("\u2212\u2010\u2011", "---")
_REMEMBERED = 16_384
"""Ages, dates and prices repeat down a file: a remembered one costs a tenth."""

_TRUE = frozenset({"true", "1", "yes", "y", "t", "on", "はい", "有", "有り", "あり", "可", "\u25cb", "\u25ef"})
_FALSE = frozenset({"false", "0", "no", "n", "f", "off", "いいえ", "無", "無し", "なし", "不可", "\u00d7", "x"})


def reader(attribute: Attribute, zone: tzinfo) -> Reader:
    """Return what reads a cell into this attribute's stored form; it raises WrongValue.

    `zone` is where times without an offset are at home. Cells are stripped and not empty.
    """
    by_label = _by_label(attribute)
    readers: dict[str, Reader] = {
        "text": text_reader(attribute),
        "number": read_number,
        "boolean": read_boolean,
        "date": read_date,
        "datetime": lambda cell: read_datetime(cell, zone),
        "choice": _choice_reader(by_label),
        "tags": _tags_reader(by_label),
    }
    return readers[attribute.type]


@lru_cache(maxsize=_REMEMBERED)
def read_number(cell: str) -> int | float:
    """Read a number: full-width digits, thousands separators, any minus sign."""
    folded = _fold(cell).translate(_SIGNS)
    match = _NUMBER.fullmatch(folded)
    if match is None:
        raise WrongValue("Not a number")
    plain = folded.replace(",", "")
    return number(float(plain) if match.group(1) else int(plain))


def read_boolean(cell: str) -> bool:
    """Read yes or no in either language."""
    folded = _fold(cell).lower()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise WrongValue("Not yes or no: true, 1, yes, はい or false, 0, no, いいえ")


@lru_cache(maxsize=_REMEMBERED)
def read_date(cell: str) -> str:
    """Read 2026-12-01, 2026/12/1, 2026.12.1 or 2026年12月1日."""
    match = _DATE.fullmatch(_fold(cell))
    if match is None:
        raise WrongValue("Not a date such as 2026-12-01, 2026/12/1 or 2026年12月1日")
    year, month, date_ = match[1], match[3] or match[5], match[4] or match[6]
    return day(f"{year}-{int(month):02}-{int(date_):02}")


def read_datetime(cell: str, zone: tzinfo) -> str:
    """Read ISO 8601, or a date as `read_date` takes it and a time; without an offset it is in `zone`."""
    folded = _fold(cell)
    try:
        moment = datetime.fromisoformat(folded)
    except ValueError:
        moment = _read_moment(folded)
    return moment_in_utc(moment if moment.tzinfo else moment.replace(tzinfo=zone))


def _read_moment(folded: str) -> datetime:
    halves = _DATE_AND_TIME.fullmatch(folded)
    clock = _TIME.fullmatch(halves[2] or "0:00") if halves else None
    if halves is None or clock is None:
        raise WrongValue("Not a time such as 2026-12-01 09:00 or 2026年12月1日 9時")
    date_ = datetime.fromisoformat(read_date(halves[1]))
    try:
        return datetime.combine(
            date_, time(int(clock[1]), int(clock[2] or clock[4] or 0), int(clock[3] or clock[5] or 0))
        )
    except ValueError:
        raise WrongValue("There is no such time") from None


def _by_label(attribute: Attribute) -> dict[str, str]:
    # A value wins over another choice's label.
    labels = {_fold(label).lower(): choice.value for choice in attribute.choices for label in choice.label.values()}
    return labels | {_fold(choice.value).lower(): choice.value for choice in attribute.choices}


def _choice_reader(by_label: Mapping[str, str]) -> Reader:
    known = {value: value for value in by_label.values()}

    def read(cell: str) -> str:
        value = known.get(cell) or by_label.get(_fold(cell).lower())
        if value is None:
            raise WrongValue("Unknown choice")
        return value

    return read


def _tags_reader(by_label: Mapping[str, str]) -> Reader:
    def read(cell: str) -> list[str]:
        parts = [part.strip() for part in _TAG_SEPARATOR.split(cell)]
        named = (by_label.get(_fold(part).lower(), part) for part in parts) if by_label else parts
        return tags(named, by_label.values())

    return read


def _fold(cell: str) -> str:
    return cell if cell.isascii() else unicodedata.normalize("NFKC", cell).strip()
