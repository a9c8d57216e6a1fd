"""Reads a form: urlencoded, bounded in size, time and number of fields; what was typed full-width is folded.

Texts keep their characters (a name may be written with a variant that NFKC would replace); only what has one meaning
whatever its width (addresses, numbers, dates) is folded by `narrow`.
"""

import asyncio
import unicodedata
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from fastapi import Request
from starlette.requests import ClientDisconnect

from api.pages.errors import Misdirected, Unreadable

MAX_BODY = 64 * 1024
MAX_FIELDS = 300
BODY_SECONDS = 10.0

_KIND = "application/x-www-form-urlencoded"


class Form:
    """The fields of a form that was sent, each a list of values."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """Return a field as text: composed (NFC), its line ends LF, no space around. "" if it is not there."""
        values = self._fields.get(name)
        text = unicodedata.normalize("NFC", values[0] if values else "")
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "").strip()

    def narrow(self, name: str) -> str:
        """Return a field whose meaning does not hang on its width, folded (NFKC)."""
        return unicodedata.normalize("NFKC", self.text(name)).strip()

    def every(self, name: str) -> list[str]:
        """Return each value of a field that may be there more than once."""
        return self._fields.get(name, [])

    def has(self, name: str) -> bool:
        """Whether a field is there, as a box is that was ticked."""
        return name in self._fields


async def read_form(request: Request) -> Form:
    """Read the body as a form; raise Unreadable."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _KIND:
        raise Unreadable("The body is no form")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                body += piece
                if len(body) > MAX_BODY:
                    raise Unreadable("The form is too large")
    except (TimeoutError, ClientDisconnect) as error:
        raise Unreadable("The form did not arrive") from error
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict", encoding="utf-8"
        )
    except ValueError:
        # Without its cause, which quotes the body.
        raise Unreadable("The form can't be read") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return Form(fields)


def is_same_site(request: Request) -> bool:
    """Whether the browser says that this was sent from here; of an older one, which says nothing, it is assumed."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def require_same_site(request: Request) -> None:
    """Raise Misdirected if the browser says that another site sent this."""
    if not is_same_site(request):
        raise Misdirected
