"""The parts of a mail that hold files: encoded once for all messages of a content, by the standard library."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from email.message import MIMEPart
from email.policy import SMTP
from uuid import UUID

from core.errors import ConfigurationError
from delivery.compose.content import Attachment, Content
from delivery.compose.inline import content_ids


@dataclass(frozen=True, slots=True)
class Enclosed:
    """Whole parts with their header fields, without a CRLF at the end: those shown in the text, and the others."""

    inline: tuple[bytes, ...] = ()
    attached: tuple[bytes, ...] = ()


def enclose(content: Content, shown: Collection[str], files: Mapping[UUID, bytes]) -> Enclosed:
    """Return the parts of a content's files; `shown` are the names of those that its text shows.

    Raises ConfigurationError if one of the files is not there.
    """
    ids = content_ids(content)
    inline, attached = [], []
    for one in content.attachments:
        if one.attachment_id not in files:
            raise ConfigurationError("A file that the content names is gone")
        if one.name in shown:
            inline.append(_part(one, files[one.attachment_id], f"<{ids[one.name]}>"))
        else:
            attached.append(_part(one, files[one.attachment_id], None))
    return Enclosed(tuple(inline), tuple(attached))


def _part(one: Attachment, file: bytes, content_id: str | None) -> bytes:
    part = MIMEPart(policy=SMTP)
    kind, _, subtype = one.content_type.partition("/")
    # Names beyond ASCII are written as RFC 2231 says.
    part.set_content(
        file,
        maintype=kind,
        subtype=subtype,
        disposition="attachment" if content_id is None else "inline",
        filename=one.name,
        cid=content_id,
    )
    return part.as_bytes().removesuffix(b"\r\n")
