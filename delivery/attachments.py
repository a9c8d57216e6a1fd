"""Attachments: files kept once, to be named by templates, never changed.

They are the marketer's and the same for every reader, so they are not sealed as members' data are.
"""

import mimetypes
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import PurePosixPath
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Conflict, Fault, InvalidInput, NotFound, TooLarge
from core.ids import IdSource
from delivery.compose.bounds import MAX_ATTACHED
from delivery.compose.content import Attachment

SQL = sql.load(__package__ or "", "attachments.sql")

MAX_NAME = 100
UNKNOWN_TYPE = "application/octet-stream"
_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}")
_UNUSABLE = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029/\\"<>]')
_PROGRAM = re.compile(
    r"\.(?:ade|adp|apk|appx|bat|cab|chm|cmd|com|cpl|dll|dmg|exe|hta|ins|iso|jar|js|jse|lib|lnk|mde|msc|msi|msp|mst|pif"
    r"|ps1|scr|sct|shb|sys|vb|vbe|vbs|vxd|wsc|wsf|wsh)\s*",
    re.IGNORECASE,
)
"""Endings of programs: large receivers refuse a mail that has one (Gmail's list of blocked file types)."""


@dataclass(frozen=True, slots=True)
class StoredAttachment:
    """A file as it is listed; `size` in bytes."""

    attachment_id: UUID
    name: str
    content_type: str
    size: int
    sha256: bytes
    created_at: datetime


class AttachmentStore:
    """The attachments of all accounts."""

    def __init__(self, main: asyncpg.Pool, new_id: IdSource) -> None:
        self._main = main
        self._new_id = new_id

    async def add(self, account_id: UUID, name: str, content_type: str | None, content: bytes) -> StoredAttachment:
        """Store a file; without a type it is told by the name's ending. Raises InvalidInput, TooLarge."""
        kind = checked_type(name, content_type)
        if len(content) > MAX_ATTACHED:
            detail = f"At most {MAX_ATTACHED:,} bytes"
            raise TooLarge("The file is too large to send", [Fault("/file", "too-large", detail)])
        if not content:
            raise InvalidInput("The file is empty", [Fault("/file", "empty", "There is nothing in it")])
        digest = sha256(content).digest()
        return _stored(
            await self._main.fetchrow(SQL["add"], self._new_id(), account_id, name, kind, len(content), digest, content)
        )

    async def get(self, account_id: UUID, attachment_id: UUID) -> StoredAttachment:
        """Return a file's particulars; raise NotFound."""
        return _stored(await self._main.fetchrow(SQL["get"], account_id, attachment_id))

    async def content(self, account_id: UUID, attachment_id: UUID) -> bytes:
        """Return the file itself; raise NotFound."""
        content: bytes | None = await self._main.fetchval(SQL["content"], account_id, attachment_id)
        if content is None:
            raise NotFound("There is no such attachment")
        return content

    async def list(self, account_id: UUID, *, after: UUID | None = None, limit: int = 50) -> Sequence[StoredAttachment]:
        """Return at most `limit` files in the order of their making, those after `after`."""
        return [_stored(row) for row in await self._main.fetch(SQL["list"], account_id, after, limit)]

    async def count(self, account_id: UUID) -> int:
        """Return how many files the account has."""
        return int(await self._main.fetchval(SQL["count"], account_id))

    async def remove(self, account_id: UUID, attachment_id: UUID) -> None:
        """Remove a file that no version of a template names; raise Conflict, NotFound."""
        if await self._main.fetchval(SQL["remove"], account_id, attachment_id) is None:
            await self.get(account_id, attachment_id)
            raise Conflict("A version of a template has this attachment")

    async def named(self, account_id: UUID, attachment_ids: Sequence[UUID]) -> tuple[Attachment, ...]:
        """Return what a template needs to know of files, in their order; raise InvalidInput with each unknown one."""
        rows = await self._main.fetch(SQL["named"], account_id, list(attachment_ids)) if attachment_ids else ()
        known = {row["attachment_id"]: Attachment(**row) for row in rows}
        faults = [
            Fault(f"/attachments/{at}", "unknown", "There is no such attachment")
            for at, attachment_id in enumerate(attachment_ids)
            if attachment_id not in known
        ]
        if faults:
            raise InvalidInput("The template names attachments that are not there", faults)
        return tuple(known[attachment_id] for attachment_id in attachment_ids)


async def contents(main: asyncpg.Pool, attachment_ids: Collection[UUID]) -> dict[UUID, bytes]:
    """Return the files of a run's content by id."""
    if not attachment_ids:
        return {}
    rows = await main.fetch(SQL["contents"], list(attachment_ids))
    return {row["attachment_id"]: row["content"] for row in rows}


def checked_type(name: str, content_type: str | None) -> str:
    """Return the media type that a file is sent as (RFC 2046); raise InvalidInput with what is wrong with its name."""
    faults = []
    if not name.strip() or len(name) > MAX_NAME or _UNUSABLE.search(name):
        faults.append(Fault("/name", "unusable", f'1 to {MAX_NAME} characters, without / \\ " < > and line breaks'))
    if _PROGRAM.fullmatch(PurePosixPath(name).suffix):
        faults.append(Fault("/name", "refused", "Large receivers refuse mail with programs"))
    kind = (content_type or mimetypes.guess_type(name)[0] or UNKNOWN_TYPE).partition(";")[0].strip().lower()
    if not _TYPE.fullmatch(kind):
        faults.append(Fault("/content_type", "unusable", "A media type such as image/png, no multipart or message"))
    if faults:
        raise InvalidInput("The file can't be attached", faults)
    return kind


def _stored(row: asyncpg.Record | None) -> StoredAttachment:
    if row is None:
        raise NotFound("There is no such attachment")
    return StoredAttachment(**row)
