"""A mail that was sent, to be read once more on a page: its frozen content with one member's values, nothing tracked.

The words are those of the mail; values are the member's as they are now. Own links are left out: whoever reads here has
pages of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from delivery.compose.assemble import FIRST_LINK, assemble
from delivery.compose.content import Content

_NOWHERE = "https://todoku.invalid"


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """A mail's subject, and its text part with LF line ends."""

    subject: str
    text: str


def read_again(content: Content, values: Mapping[str, object]) -> ReadAgain:
    """Render subject and text for a member's `values` (by key); raise InvalidTemplate or RenderFailed."""
    parts = assemble(replace(content, track_opens=False, track_clicks=False), tracker_url=_NOWHERE)
    tokens = [b""] * (FIRST_LINK + len(parts.links))
    subject = parts.subject.render(values, tokens).decode()
    text = parts.text.render(values, tokens).decode().replace("\r\n", "\n")
    # The footer's own links lead nowhere here.
    kept = [line for line in text.split("\n") if _NOWHERE not in line]
    return ReadAgain(subject, "\n".join(kept).strip())
