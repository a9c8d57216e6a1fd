"""Templates: what campaigns say, kept in versions that never change, each checked before it is stored."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Fault, InvalidInput, NotFound, StaleRevision, TooLarge
from core.ids import IdSource
from delivery.compose.bounds import MAX_SOURCE
from delivery.compose.check import CheckedContent, Preview, check
from delivery.compose.content import Attachment, Content, Sender
from delivery.compose.errors import InvalidTemplate

SQL = sql.load(__package__ or "", "templates.sql")

MAX_NAME = 200

NOBODY = Sender("Sample Sender", "sender@example.com", None, "1-1 Sample, Tokyo", "contact@example.com", "example.com")
"""Stands for the sender while a template is looked at on its own."""


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """What an author writes: templates in Todoku's closed language, and the name that colleagues know it by."""

    name: str
    subject: str
    html: str = ""
    text: str = ""
    preheader: str = ""
    attachments: tuple[UUID, ...] = ()

    def words(self) -> tuple[str, str, str, str]:
        """Return what makes a version: subject, preheader, html, text."""
        return self.subject, self.preheader, self.html, self.text


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """A template at one of its versions; `revision` counts all changes, the name's too."""

    template_id: UUID
    account_id: UUID
    name: str
    version: int
    revision: int
    subject: str
    preheader: str
    html: str
    text: str
    attachments: tuple[UUID, ...]
    created_at: datetime
    updated_at: datetime

    def as_draft(self) -> TemplateDraft:
        """Return what a change starts from."""
        return TemplateDraft(self.name, self.subject, self.html, self.text, self.preheader, self.attachments)


class TemplateStore:
    """The templates of all accounts. `attributes` are the names that an account's templates may use."""

    def __init__(self, main: asyncpg.Pool, new_id: IdSource) -> None:
        self._main = main
        self._new_id = new_id

    async def create(
        self, account_id: UUID, draft: TemplateDraft, attributes: Sequence[str], attached: Sequence[Attachment] = ()
    ) -> StoredTemplate:
        """Store a template's first version; `attached` are its attachments. Raises InvalidTemplate with every fault."""
        await checked(draft, attributes, attached)
        return _template(
            await self._main.fetchrow(
                SQL["create"], self._new_id(), account_id, draft.name, *draft.words(), list(draft.attachments)
            )
        )

    async def get(self, account_id: UUID, template_id: UUID, version: int | None = None) -> StoredTemplate:
        """Return the newest version, or the one named; raise NotFound."""
        return _template(await self._main.fetchrow(SQL["get"], account_id, template_id, version))

    async def count(self, account_id: UUID) -> int:
        """Return how many templates the account has."""
        return int(await self._main.fetchval(SQL["count"], account_id))

    async def change(
        self,
        account_id: UUID,
        template_id: UUID,
        revision: int,
        draft: TemplateDraft,
        attributes: Sequence[str],
        attached: Sequence[Attachment] = (),
    ) -> StoredTemplate:
        """Say it otherwise, as a new version; raise StaleRevision if it is no longer at `revision`."""
        present = await self.get(account_id, template_id)
        if present.revision != revision:
            raise StaleRevision("Read the template again")
        await checked(draft, attributes, attached)
        otherwise = replace(draft, name="") != replace(present.as_draft(), name="")
        row = await self._main.fetchrow(
            SQL["change"],
            account_id,
            template_id,
            revision,
            draft.name,
            otherwise,
            *draft.words(),
            list(draft.attachments),
        )
        if row is None:
            raise StaleRevision("Read the template again")
        return _template(row)

    async def list(self, account_id: UUID, *, after: UUID | None = None, limit: int = 50) -> list[StoredTemplate]:
        """Return at most `limit` templates in the order of their making, those after `after`, at their newest."""
        return [_template(row) for row in await self._main.fetch(SQL["list"], account_id, after, limit)]


async def checked(
    draft: TemplateDraft,
    attributes: Sequence[str],
    attached: Sequence[Attachment] = (),
    samples: Sequence[Mapping[str, object]] = (),
) -> CheckedContent:
    """Return the links and previews of a draft; raise InvalidTemplate with every fault, TooLarge past the bounds.

    Runs in a thread: a template at its bounds takes a good part of a second.
    """
    _bounded(draft)
    faults = _name_faults(draft)
    subject, preheader, html, text = draft.words()
    content = Content(
        subject,
        preheader,
        html,
        text,
        NOBODY,
        track_opens=True,
        track_clicks=True,
        attributes=tuple(attributes),
        attachments=tuple(attached),
    )
    try:
        found = await asyncio.to_thread(check, content, samples=samples)
    except InvalidTemplate as error:
        raise InvalidTemplate(faults=[*faults, *error.faults]) from None
    if faults:
        raise InvalidInput("The template can't be stored as it stands", faults)
    return found


async def render(
    draft: TemplateDraft, attributes: Sequence[str], attached: Sequence[Attachment], values: Mapping[str, object]
) -> Preview:
    """Return what a draft says to a member with these values; raise InvalidTemplate."""
    return (await checked(draft, attributes, attached, [values])).previews[0]


def _bounded(draft: TemplateDraft) -> None:
    faults = [
        Fault(f"/{part}", "too-large", f"At most {MAX_SOURCE:,} characters")
        for part in ("subject", "preheader", "html", "text")
        if len(getattr(draft, part)) > MAX_SOURCE
    ]
    if faults:
        raise TooLarge("The template is too large", faults)


def _name_faults(draft: TemplateDraft) -> list[Fault]:
    if not 0 < len(draft.name.strip()) <= MAX_NAME:
        return [Fault("/name", "length", f"1 to {MAX_NAME} characters are needed")]
    if not draft.name.replace("\u3000", " ").isprintable():
        return [Fault("/name", "control-character", "Line breaks and control characters can't be used here")]
    return []


def _template(row: asyncpg.Record | None) -> StoredTemplate:
    if row is None:
        raise NotFound("There is no such template")
    return StoredTemplate(**{**row, "attachments": tuple(row["attachments"])})
