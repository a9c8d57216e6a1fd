"""In which language a page speaks: gettext catalogues, compiled in memory as the process starts.

Each folder `locale/<language>/LC_MESSAGES` with a `pages.po` is a language; another is added by adding its folder. The
messages' ids are the English texts, so that English has next to nothing to translate.
"""

from collections.abc import Iterable, Mapping
from gettext import GNUTranslations
from importlib import resources
from io import BytesIO
from urllib.parse import urlencode

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from fastapi import Request, Response

from members.built_in import LOCALE
from members.member import Member

FALLBACK = "en"
PARAMETER = "lang"
COOKIE = "__Host-language"
"""Keeps the language that a reader asked for while the browser is open: links and forms need not carry it."""

_LONGEST_HEADER = 200


def mark(text: str) -> str:
    """Return a text as it is: named `_` where it is called, this makes it known as one to be translated."""
    return text


def load_catalogues() -> Mapping[str, GNUTranslations]:
    """Return the catalogues by language, in the order of their names."""
    found = {}
    for folder in sorted(resources.files(__package__ or "").joinpath("locale").iterdir(), key=lambda one: one.name):
        source = folder.joinpath("LC_MESSAGES", "pages.po")
        if source.is_file():
            compiled = BytesIO()
            write_mo(compiled, read_po(BytesIO(source.read_bytes()), locale=folder.name))
            compiled.seek(0)
            found[folder.name] = GNUTranslations(compiled)
    return found


def choose(request: Request, known: Mapping[str, object], *, member: str | None = None, account: str = FALLBACK) -> str:
    """Return the language to answer in: the one asked for, now or before, the member's, the browser's, the account's.

    `member` is a member's locale (`ja`, `en-US`), where there is one who has proven who they are.
    """
    asked = request.query_params.get(PARAMETER, "")
    browser = accepted(request.headers.get("accept-language", ""))
    for wanted in (asked, request.cookies.get(COOKIE, ""), member or "", *browser, account):
        language = wanted.partition("-")[0].lower()
        if language in known:
            return language
    return FALLBACK


def remember(answer: Response, request: Request, language: str) -> None:
    """Keep the language of an answer for the next ones, if it was asked for."""
    if request.query_params.get(PARAMETER) == language:
        answer.set_cookie(COOKIE, language, path="/", secure=True, httponly=True, samesite="lax")


def forget(answer: Response) -> None:
    """Keep the language no longer: the member has chosen one for good."""
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")


def other_languages(request: Request, known: Iterable[str], path: str | None) -> list[tuple[str, str]]:
    """Return each language and the address of the same page in it.

    `path`: where a page stands that answers a form ("": where the form was sent to), None if it stands nowhere.
    """
    if path is None:
        return []
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != PARAMETER]
    at = path if request.method == "POST" else ""
    kept = rest if request.method == "GET" else []
    return [(one, f"{at}?{urlencode([*kept, (PARAMETER, one)])}") for one in known]


def locale_of(member: Member) -> str:
    """Return a member's locale, "" without one."""
    return str(member.values.get(LOCALE) or "")


def accepted(header: str) -> list[str]:
    """Return the languages of an Accept-Language header, best first (RFC 9110 section 12.5.4)."""
    weights: dict[str, float] = {}
    for entry in header[:_LONGEST_HEADER].lower().split(","):
        name, _, parameter = entry.strip().partition(";")
        weight = parameter.strip().removeprefix("q=")
        try:
            weights.setdefault(name.strip(), float(weight) if weight else 1.0)
        except ValueError:
            continue
    return sorted((name for name, weight in weights.items() if weight > 0), key=lambda name: -weights[name])
