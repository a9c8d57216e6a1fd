"""All that the tracker answers: the pixel, a redirect, a word, pages of what went wrong.

Every answer carries the same strict headers and is never stored by a cache.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from importlib import resources

from jinja2 import Environment

from tracking.endpoint.answer import Answer, make
from tracking.endpoint.wording import ERRORS, Language

_STYLE = resources.files(__package__ or "").joinpath("page.css").read_text(encoding="utf-8")
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_PAGE = Environment(autoescape=True, keep_trailing_newline=True).from_string(
    resources.files(__package__ or "").joinpath("page.html").read_text(encoding="utf-8")
)

RETRY_AFTER = 30
"""Seconds after which a request that could not be committed may be made again."""

_TEXT = "text/plain; charset=utf-8"
_BARE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}
_PAGE_HEADERS = {
    **_BARE,
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "vary": "accept-language",
}

# 1 x 1 transparent GIF89a. Mail programs on the web load it from their own pages, hence cross-origin.
PIXEL = make(
    200,
    {**_BARE, "cross-origin-resource-policy": "cross-origin"},
    bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"),
    media_type="image/gif",
)

NOTHING = make(204, _BARE)
"""For the hidden link: whoever follows it stays where he is."""

UNSUBSCRIBED = make(200, _BARE, b"unsubscribed\n", media_type=_TEXT)
MISDIRECTED = make(421, _BARE, b"not known under this name\n", media_type=_TEXT)
HEALTHY = make(200, _BARE, b"ok\n", media_type=_TEXT)
UNHEALTHY = make(503, _BARE, b"not taking events\n", media_type=_TEXT)
BUSY = make(503, {**_BARE, "retry-after": str(RETRY_AFTER)}, b"too many connections\n", media_type=_TEXT)
HEAD_TOO_LARGE = make(431, _BARE)

_ERROR_HEADERS = {503: {"retry-after": str(RETRY_AFTER)}}


def redirect(target: str, status: int = 302) -> Answer:
    """Send the reader on; `target` is ASCII, without line breaks, and ours."""
    return make(status, {**_BARE, "location": target})


def error_page(status: int, language: Language, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a small page for `status`; a status without words of its own gets those of 500 or 400."""
    known = status if status in ERRORS else 500 if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400
    html = _PAGE.render(words=ERRORS[known][language], language=language, style=_STYLE)
    also = {"content-language": language, **_ERROR_HEADERS.get(status, {}), **(headers or {})}
    return make(status, {**_PAGE_HEADERS, **also}, html.encode(), media_type="text/html; charset=utf-8")
