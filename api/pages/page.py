"""Renders a page: Jinja2 templates in the reader's language and the account's look, with strict headers.

A page loads its one stylesheet and the account's logo from here, and nothing from anywhere else; no script runs on it.
"""

from collections.abc import Mapping
from hashlib import sha256
from importlib import resources
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.pages.language import choose, load_catalogues, other_languages, remember
from core import ids
from scheduler.branding import Branding, BrandingFields

STYLE = resources.files(__package__ or "").joinpath("static", "style.css").read_text(encoding="utf-8")
STYLE_HASH = sha256(STYLE.encode()).hexdigest()[:12]

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
"""On every answer that says nothing else of its own; the guard adds them."""

_PERSONAL = {"Cache-Control": "no-store"}
_USUAL = BrandingFields()


class Pages:
    """The templates in every language that there is a catalogue of."""

    def __init__(self) -> None:
        self.catalogues = load_catalogues()
        self._environments: dict[str, Environment] = {}
        for language, translations in self.catalogues.items():
            environment = Environment(
                loader=PackageLoader("api.pages"),
                autoescape=True,
                undefined=StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
                extensions=["jinja2.ext.i18n"],
            )
            environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
            self._environments[language] = environment

    def language(self, request: Request, branding: Branding | None = None, *, member: str | None = None) -> str:
        """Return the language of the answer to this request."""
        account = branding.fields.language if branding else _USUAL.language
        return choose(request, self.catalogues, member=member, account=account)

    def render(
        self,
        request: Request,
        template: str,
        *,
        branding: Branding | None = None,
        member_locale: str | None = None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **content: Any,
    ) -> Response:
        """Return a page. `branding`: None where no account is known; `content` is what the template names."""
        language = self.language(request, branding, member=member_locale)
        others = other_languages(request, self.catalogues, content.get("path", ""))
        html = self.document(template, Look(branding, language), languages=others, **content)
        said = {"Content-Language": language, "Vary": "Accept-Language", **_PERSONAL, **(headers or {})}
        answer = Response(html, status, media_type="text/html", headers=said)
        remember(answer, request, language)
        return answer

    def document(self, template: str, look: "Look", **content: Any) -> str:
        """Return a page's HTML in the language of its look."""
        return self._environments[look.language].get_template(template).render(look=look, **content)

    def words(self, language: str, text: str) -> str:
        """Return a text of the catalogue."""
        return self.catalogues[language].gettext(text)


class Look:
    """What every template may ask of the account whose page it is."""

    def __init__(self, branding: Branding | None, language: str) -> None:
        self._branding = branding
        self._fields = branding.fields if branding else _USUAL
        self.language = language

    @property
    def name(self) -> str:
        """The account's name, "" where none is known."""
        return self._branding.name if self._branding else ""

    @property
    def style_path(self) -> str:
        """Where the stylesheet is: another one for each change, so that it can be kept for ever."""
        return f"/style/{STYLE_HASH}{self._version}.css"

    @property
    def logo_path(self) -> str | None:
        """Where the logo is, None without one."""
        return f"/logo/{self._version[1:]}" if self._fields.logo is not None else None

    @property
    def postal_address(self) -> str:
        """The legal address."""
        return self._fields.postal_address

    @property
    def contact(self) -> str:
        """Whom to ask, and to complain to."""
        return self._fields.contact

    @property
    def links(self) -> list[tuple[str, str]]:
        """Label and address of each link, the label in this language or in whichever there is."""
        return [
            (link.label.get(self.language) or next(iter(link.label.values())), link.url) for link in self._fields.links
        ]

    def text(self, which: str) -> str | None:
        """Return the account's own words, None where it has none."""
        return self._branding.text(which, self.language) if self._branding else None

    @property
    def _version(self) -> str:
        if self._branding is None:
            return ""
        return f"-{ids.encode('acc', self._branding.account_id)}-{self._branding.revision}"


def stylesheet(fields: BrandingFields) -> str:
    """Return the one stylesheet with an account's colours in it; they are known to be colours."""
    return (
        f":root{{--accent:{fields.accent}}}\n"
        f"@media (prefers-color-scheme: dark){{:root{{--accent:{fields.accent_dark}}}}}\n{STYLE}"
    )
