"""The attributes that every account has, and which texts two of them take.

They can be labelled, asked for and required like any other, not renamed and not removed: a member's language, zone and
tags stand beside the address wherever a member is shown. An account that had an attribute of such a name before keeps
its own, which is not built in.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from members.attribute import Attribute, AttributeType, Protection
from members.errors import WrongValue

NAME, LOCALE, TIME_ZONE, TAGS = "name", "locale", "time_zone", "tags"


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """What a new account's attribute is defined as."""

    key: str
    type: AttributeType
    protection: Protection
    label: Mapping[str, str]


BUILT_INS = (
    BuiltIn(NAME, "text", "sealed", {"ja": "氏名", "en": "Name"}),
    BuiltIn(LOCALE, "text", "open", {"ja": "言語", "en": "Language"}),
    BuiltIn(TIME_ZONE, "text", "open", {"ja": "タイムゾーン", "en": "Time zone"}),
    BuiltIn(TAGS, "tags", "matchable", {"ja": "タグ", "en": "Tags"}),
)

_LOCALE = re.compile(r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?", re.ASCII | re.IGNORECASE)


def form_of(attribute: Attribute) -> Callable[[str], str] | None:
    """Return what checks a text of this attribute and gives its stored form; None if any text will do."""
    return _FORMS.get(attribute.key) if attribute.built_in else None


def locale(text: str) -> str:
    """Check a language tag: language, script, region (RFC 5646 section 2.1), in the case of section 2.1.1."""
    found = _LOCALE.fullmatch(text.replace("_", "-"))
    if found is None:
        raise WrongValue("A language tag such as ja, en-US or zh-Hant-TW")
    language, script, region = found[1].lower(), (found[2] or "").title(), (found[3] or "").upper()
    return "-".join(part for part in (language, script, region) if part)


def time_zone(text: str) -> str:
    """Check a name of the tz database, in its own case."""
    name = _zones().get(text.lower())
    if name is None:
        raise WrongValue("A time zone of the tz database, such as Asia/Tokyo")
    return name


_FORMS: Mapping[str, Callable[[str], str]] = {LOCALE: locale, TIME_ZONE: time_zone}


@cache
def _zones() -> dict[str, str]:
    # Six hundred names read from as many files: once a process, when first asked.
    return {name.lower(): name for name in available_timezones()}
