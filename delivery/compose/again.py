"""A mail that was sent, to be read once more as a page: its frozen content with one member's values, nothing tracked.

Links lead straight to their targets, and there is no pixel. The footer's own links are the reader's, under the address
of the members' own pages. Pictures that came along are found beside the page, so that a browser can ask for them.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from uuid import UUID

from core.tokens import SLOT_PREFERENCES, SLOT_UNSUBSCRIBE, SLOT_WEB, LinkSigner
from delivery.compose.assemble import FIRST_LINK, PREFERENCES, UNSUBSCRIBE, assemble
from delivery.compose.consented import without_tracking
from delivery.compose.content import Attachment, Content
from delivery.compose.inline import content_ids
from delivery.compose.language import PREFERENCES_URL, UNSUBSCRIBE_URL, WEB_URL
from delivery.compose.markup import Tag, scan

_CID = re.compile(r"cid:([0-9a-f]{24}@[^\s\"'()<>&]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """A mail's subject, its HTML as a whole document (None for a plain text mail), its text with LF line ends.

    `files`: those that went along beside what the text shows, each with its place among the content's attachments.
    """

    subject: str
    html: str | None
    text: str
    files: Sequence[tuple[int, Attachment]]


@dataclass(frozen=True, slots=True)
class Delivered:
    """Whose mail it is: what its own links are made of. `url` is that of the members' own pages, without a slash."""

    run_id: UUID
    seq: int
    url: str
    signer: LinkSigner


def read_again(content: Content, values: Mapping[str, object], delivered: Delivered) -> ReadAgain:
    """Render a mail for a member's `values` (by key); raise InvalidTemplate or RenderFailed."""
    leave, choose, web = delivered.signer.mint(
        delivered.run_id, delivered.seq, [SLOT_UNSUBSCRIBE, SLOT_PREFERENCES, SLOT_WEB]
    )
    own = {
        UNSUBSCRIBE_URL: f"{delivered.url}/u/{leave}",
        PREFERENCES_URL: f"{delivered.url}/p/{choose}",
        WEB_URL: f"{delivered.url}/w/{web}",
    }
    parts = assemble(without_tracking(replace(content, preheader="")), tracker_url=delivered.url)
    tokens = [b""] * (FIRST_LINK + len(parts.links))
    tokens[UNSUBSCRIBE], tokens[PREFERENCES] = leave.encode(), choose.encode()
    subject = parts.subject.render(values, tokens, own).decode().strip()
    text = parts.text.render(values, tokens, own).decode().replace("\r\n", "\n").strip()
    html = None
    if parts.html is not None:
        places = {content_id: place for place, content_id in enumerate(content_ids(content).values())}
        html = _pictured(parts.html.render(values, tokens, own).decode(), f"/w/{web}/files", places)
        html = _titled(html, subject)
    return ReadAgain(
        subject, html, text, [(n, one) for n, one in enumerate(content.attachments) if one.name not in parts.shown]
    )


def read_subject(content: Content, values: Mapping[str, object]) -> str:
    """Render a mail's subject for a member's `values` (by key); raise InvalidTemplate or RenderFailed."""
    parts = assemble(replace(without_tracking(content), preheader="", html="", text=""), tracker_url="")
    return parts.subject.render(values, []).decode().strip()


def _pictured(html: str, path: str, places: Mapping[str, int]) -> str:
    """Have Content-IDs (RFC 2392) lead to where a browser finds the files."""
    return _CID.sub(lambda found: f"{path}/{places[found[1]]}" if found[1] in places else found[0], html)


def _titled(html: str, title: str) -> str:
    """Put into a document's head what a page needs and a mail does not: a title, a width, links that open beside it."""
    head = (
        f'<title>{escape(title)}</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<base target="_blank">'
    )
    tags = [tag for tag in scan(html) if isinstance(tag, Tag) and not tag.closing]
    ends = {tag.name: tag.end for tag in reversed(tags)}
    # Never before a declaration, which would turn a browser to the manners of long ago.
    at = ends.get("head") or ends.get("html") or next((tag.start for tag in tags), 0)
    return html[:at] + head + html[at:]
