"""An account's branding, and what can be wrong with it: every fault at once. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import UUID

from core.errors import Fault, InvalidInput
from scheduler.branding.contrast import LEAST, contrast, is_colour
from scheduler.branding.logo import MOST_BYTES, media_type

TEXTS = ("title", "introduction", "consent", "thanks")
"""What an account may say in its own words: over the form, under its title, beside the box, once all is done."""

LONGEST_NAME = 100
LONGEST_LINE = 300
LONGEST_TEXT = 2_000
MOST_LINKS = 6

PAPER, PAPER_DARK = "#ffffff", "#1d232a"
"""What the accent stands on, by day and by night; text on a surface of the accent has the same colour."""

_LANGUAGE = re.compile(r"[a-z]{2}")


@dataclass(frozen=True, slots=True)
class Link:
    """A link in the foot of each page: labels by language."""

    label: Mapping[str, str]
    url: str


@dataclass(frozen=True, slots=True)
class BrandingFields:
    """What an account says of itself.

    An empty `name` is the account's own. `texts`: by language, then by one of TEXTS; for what is missing Todoku has
    words. Letters are sent by `sender_id`; without one `signup_open` can't be.
    """

    name: str = ""
    language: str = "ja"
    accent: str = "#0b5fa5"
    accent_dark: str = "#7cb9ee"
    logo: bytes | None = None
    postal_address: str = ""
    contact: str = ""
    links: Sequence[Link] = ()
    texts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    sender_id: UUID | None = None
    signup_open: bool = False


@dataclass(frozen=True, slots=True)
class Branding:
    """An account's fields; `account_name` stands in for a name that it has not given."""

    account_id: UUID
    account_name: str
    fields: BrandingFields
    revision: int

    @property
    def name(self) -> str:
        """What members know the account by."""
        return self.fields.name or self.account_name

    def text(self, which: str, language: str) -> str | None:
        """Return the account's own words, None where it has none in this language."""
        return self.fields.texts.get(language, {}).get(which)


def require_valid(fields: BrandingFields) -> None:
    """Raise InvalidInput with every fault."""
    faults = [
        *_line_faults(fields),
        *_colour_faults(fields),
        *_logo_faults(fields.logo),
        *_link_faults(fields.links),
        *_text_faults(fields.texts),
    ]
    if fields.signup_open and fields.sender_id is None:
        faults.append(Fault("/sender", "missing", "Signing up needs a sender of the letters that confirm it"))
    if faults:
        raise InvalidInput("The branding can't be kept so", faults)


def _line_faults(fields: BrandingFields) -> Iterator[Fault]:
    for name, text, longest in (
        ("name", fields.name, LONGEST_NAME),
        ("postal_address", fields.postal_address, LONGEST_LINE),
        ("contact", fields.contact, LONGEST_LINE),
    ):
        if len(text) > longest or not text.isprintable():
            yield Fault(f"/{name}", "bad-line", f"At most {longest} printable characters")
    if not _LANGUAGE.fullmatch(fields.language):
        yield Fault("/language", "bad-language", "A language of two letters, such as ja or en")


def _colour_faults(fields: BrandingFields) -> Iterator[Fault]:
    for name, colour, paper in (
        ("accent", fields.accent, PAPER),
        ("accent_dark", fields.accent_dark, PAPER_DARK),
    ):
        if not is_colour(colour):
            yield Fault(f"/{name}", "bad-colour", "A colour such as #0b5fa5")
        elif (found := contrast(colour, paper)) < LEAST:
            detail = f"Its contrast to {paper} is {found:.1f}: text needs {LEAST} to be read (WCAG 2.2, 1.4.3)"
            yield Fault(f"/{name}", "low-contrast", detail)


def _logo_faults(logo: bytes | None) -> Iterator[Fault]:
    if logo is None:
        return
    if len(logo) > MOST_BYTES:
        yield Fault("/logo", "too-large", f"At most {MOST_BYTES:,} bytes")
    if media_type(logo) is None:
        yield Fault("/logo", "not-a-picture", "A PNG, JPEG, GIF or WebP")


def _link_faults(links: Sequence[Link]) -> Iterator[Fault]:
    if len(links) > MOST_LINKS:
        yield Fault("/links", "too-many", f"At most {MOST_LINKS} links")
    for number, link in enumerate(links):
        yield from _label_faults(f"/links/{number}/label", link.label, LONGEST_NAME)
        if not link.label:
            yield Fault(f"/links/{number}/label", "missing", "A link needs a label in one language at least")
        if not _is_web_address(link.url):
            yield Fault(f"/links/{number}/url", "bad-url", "An address that begins with https://")


def _text_faults(texts: Mapping[str, Mapping[str, str]]) -> Iterator[Fault]:
    for language, said in texts.items():
        if not _LANGUAGE.fullmatch(language):
            yield Fault(f"/texts/{language}", "bad-language", "A language of two letters, such as ja or en")
        for name, text in said.items():
            if name not in TEXTS:
                yield Fault(f"/texts/{language}/{name}", "unknown-text", f"One of: {', '.join(TEXTS)}")
            elif not 0 < len(text) <= LONGEST_TEXT or not text.replace("\n", "").isprintable():
                detail = f"1 to {LONGEST_TEXT:,} printable characters, and line breaks"
                yield Fault(f"/texts/{language}/{name}", "bad-text", detail)


def _label_faults(pointer: str, label: Mapping[str, str], longest: int) -> Iterator[Fault]:
    for language, text in label.items():
        if not _LANGUAGE.fullmatch(language) or not 0 < len(text) <= longest or not text.isprintable():
            yield Fault(f"{pointer}/{language}", "bad-label", f"1 to {longest} printable characters, by language")


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and not set(url) & set(" \"'<>\\")
    return parts.scheme == "https" and bool(parts.hostname) and plain and len(url) <= LONGEST_TEXT
