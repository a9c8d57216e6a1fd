"""How pages would look by a branding that is not kept yet: whole documents, which load nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pybase64 import b64encode

from api.pages.page import Look, Pages, stylesheet
from scheduler.branding import Branding
from scheduler.branding.logo import media_type

Scheme = Literal["light", "dark"]

_READERS = "@media (prefers-color-scheme: dark)"
_CHOSEN: Mapping[Scheme, str] = {"light": "@media not all", "dark": "@media all"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A document, its language, and whether it is that of the day or of the night."""

    language: str
    scheme: Scheme
    html: str


def drawn(pages: Pages, branding: Branding) -> Iterator[Drawn]:
    """Yield every part that a page can have, in each language, by day and by night."""
    for language in pages.catalogues:
        for scheme in _CHOSEN:
            look = _Draft(branding, language, scheme)
            yield Drawn(language, scheme, pages.document("preview.html", look, languages=[]))


class _Draft(Look):
    """A look that brings its stylesheet and logo along: neither has an address before it is kept."""

    def __init__(self, branding: Branding, language: str, scheme: Scheme) -> None:
        super().__init__(branding, language)
        self._scheme = scheme

    @property
    def style_path(self) -> str:
        """The stylesheet itself, in the scheme that was chosen instead of the reader's."""
        style = stylesheet(self._fields).replace(_READERS, _CHOSEN[self._scheme])
        style = style.replace("color-scheme: light dark;", f"color-scheme: {self._scheme};")
        return _inline("text/css", style.encode())

    @property
    def logo_path(self) -> str | None:
        """The logo itself, None without one."""
        logo = self._fields.logo
        return None if logo is None else _inline(str(media_type(logo)), logo)


def _inline(kind: str, content: bytes) -> str:
    """Return an address that is its content (RFC 2397)."""
    return f"data:{kind};base64,{b64encode(content).decode()}"
