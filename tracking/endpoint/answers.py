"""All that the tracker answers: the pixel, a redirect, a word, pages of what went wrong. Made once, sent many times.

Every answer carries the same strict headers and is never stored by a cache.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from importlib import resources

from jinja2 import Environment
from starlette.responses import Response

from tracking.endpoint.wording import ERRORS, Language, Words

_STYLE = resources.files(__package__ or "").joinpath("page.css").read_text(encoding="utf-8")
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_PAGE = Environment(autoescape=True, keep_trailing_newline=True).from_string(
    resources.files(__package__ or "").joinpath("page.html").read_text(encoding="utf-8")
)

RETRY_AFTER = 30
"""Seconds after which a request that could not be committed may be made again."""

_BARE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_PAGE_HEADERS = {
    **_BARE,
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Vary": "Accept-Language",
}

# 1 x 1 transparent GIF89a. Mail programs on the web load it from their own pages, hence cross-origin.
PIXEL = Response(
    bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"),
    media_type="image/gif",
    headers={**_BARE, "Cross-Origin-Resource-Policy": "cross-origin"},
)

NOTHING = Response(status_code=204, headers=_BARE)
"""For the hidden link: whoever follows it stays where he is."""

UNSUBSCRIBED = Response("unsubscribed\n", media_type="text/plain", headers=_BARE)
MISDIRECTED = Response("not known under this name\n", 421, media_type="text/plain", headers=_BARE)
HEALTHY = Response("ok\n", media_type="text/plain", headers=_BARE)
UNHEALTHY = Response("not taking events\n", 503, media_type="text/plain", headers=_BARE)


def redirect(target: str, status: int = 302) -> Response:
    """Send the reader on; `target` is ASCII and ours."""
    return Response(status_code=status, headers={**_BARE, "Location": target})


def _page(words: Words, language: Language, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    html = _PAGE.render(words=words, language=language, style=_STYLE)
    return Response(
        html,
        status,
        media_type="text/html",
        headers={**_PAGE_HEADERS, "Content-Language": language, **(headers or {})},
    )


_ERROR_HEADERS = {
    405: {},
    408: {"Connection": "close"},
    413: {"Connection": "close"},
    503: {"Retry-After": str(RETRY_AFTER)},
}


def error_page(status: int, language: Language, headers: Mapping[str, str] | None = None) -> Response:
    """Return a small page for `status`; a status without words of its own gets those of 500 or 400."""
    known = status if status in ERRORS else 500 if status >= HTTPStatus.INTERNAL_SERVER_ERROR else 400
    return _page(
        ERRORS[known][language],
        language,
        status=status,
        headers={**_ERROR_HEADERS.get(status, {}), **(headers or {})},
    )
