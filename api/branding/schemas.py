"""The branding as it is sent and shown; the logo in base64, as a picture in JSON is."""

from binascii import Error as NotBase64
from typing import Annotated

from pybase64 import b64decode, b64encode
from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema
from pydantic.config import JsonDict

from api.pages.draft import Scheme
from api.values import Answer, Body, SenderId
from core import ids
from scheduler.branding import Branding, BrandingFields, Link
from scheduler.branding.fields import LONGEST_LINE, LONGEST_NAME, LONGEST_TEXT, MOST_LINKS, TEXTS
from scheduler.branding.logo import MOST_BYTES, media_type

_LANGUAGES = 20
_EXAMPLE: JsonDict = {
    "name": "届く商店",
    "accent": "#0b5fa5",
    "postal_address": "東京都千代田区千代田1-1",
    "links": [{"label": {"ja": "プライバシーポリシー", "en": "Privacy"}, "url": "https://shop.example.jp/privacy"}],
    "texts": {"ja": {"title": "メールマガジン", "consent": "届く商店からのお知らせを受け取ります。"}},
}


def _picture(value: object) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= 2 * MOST_BYTES:
        try:
            return b64decode(value, validate=True)
        except (NotBase64, ValueError):
            pass  # said below, in one way with what is too long
    raise ValueError(f"A picture of at most {MOST_BYTES:,} bytes, in base64")


Logo = Annotated[bytes | None, PlainValidator(_picture), WithJsonSchema({"type": ["string", "null"]})]
Texts = Annotated[
    dict[str, dict[str, Annotated[str, Field(max_length=LONGEST_TEXT)]]],
    Field(max_length=_LANGUAGES, description=f"By language: {', '.join(TEXTS)}. Replaced as a whole"),
]


class LinkShown(Body):
    """A link in the foot of each page."""

    label: dict[str, str] = Field(max_length=_LANGUAGES, description="By language")
    url: str = Field(max_length=LONGEST_TEXT)


class BrandingChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: str | None = Field(None, max_length=LONGEST_NAME, description="What members know the account by")
    language: str | None = Field(None, max_length=2, description="Of who says nothing of theirs")
    accent: str | None = Field(None, max_length=7, description="Of buttons and links, on white")
    accent_dark: str | None = Field(None, max_length=7, description="The same where the reader likes it dark")
    logo: Logo = Field(None, description="PNG, JPEG, GIF or WebP in base64; null takes it away")
    postal_address: str | None = Field(None, max_length=LONGEST_LINE)
    contact: str | None = Field(None, max_length=LONGEST_LINE)
    links: list[LinkShown] | None = Field(None, max_length=MOST_LINKS)
    texts: Texts | None = None
    sender: SenderId | None = Field(None, description="Who sends the letters that confirm a sign-up")
    signup_open: bool | None = Field(None, description="Whether the sign-up form is there")

    def onto(self, present: BrandingFields) -> BrandingFields:
        """Return the whole as it is to be."""

        def kept(name: str) -> object:
            said = getattr(self, name)
            return getattr(present, name) if said is None else said

        links = present.links if self.links is None else [Link(dict(one.label), one.url) for one in self.links]
        return BrandingFields(
            **{
                name: kept(name)
                for name in ("name", "language", "accent", "accent_dark", "postal_address", "contact", "texts")
            },  # type: ignore[arg-type] # each has the type of its own field
            logo=self.logo if "logo" in self.model_fields_set else present.logo,
            links=tuple(links),
            sender_id=self.sender if "sender" in self.model_fields_set else present.sender_id,
            signup_open=present.signup_open if self.signup_open is None else self.signup_open,
        )


class BrandingShown(Answer):
    """What the account's pages and letters look like and say."""

    name: str
    language: str
    accent: str
    accent_dark: str
    logo: str | None
    logo_type: str | None
    postal_address: str
    contact: str
    links: list[LinkShown]
    texts: dict[str, dict[str, str]]
    sender: SenderId | None
    signup_open: bool
    signup_url: str = Field(description="Where the form is, once it is open")
    preview_url: str = Field(description="Every part of a page, as members will see it")


class PageDrawn(Answer):
    """A page with every part that one can have: a whole document, which loads nothing."""

    language: str
    scheme: Scheme = Field(description="By day or by night; readers get what their system prefers")
    html: str


class PreviewShown(Answer):
    """Pages in each language, by day and by night."""

    items: list[PageDrawn]


def shown(branding: Branding, pages_url: str) -> BrandingShown:
    """Return what the API shows of a branding."""
    fields = branding.fields
    account = ids.encode("acc", branding.account_id)
    return BrandingShown(
        name=branding.name,
        language=fields.language,
        accent=fields.accent,
        accent_dark=fields.accent_dark,
        logo=None if fields.logo is None else b64encode(fields.logo).decode(),
        logo_type=None if fields.logo is None else media_type(fields.logo),
        postal_address=fields.postal_address,
        contact=fields.contact,
        links=[LinkShown(label=dict(link.label), url=link.url) for link in fields.links],
        texts={language: dict(said) for language, said in fields.texts.items()},
        sender=fields.sender_id,
        signup_open=fields.signup_open,
        signup_url=f"{pages_url}/f/{account}",
        preview_url=f"{pages_url}/preview/{account}",
    )
