"""What a campaign's content is once it is frozen: texts that are templates, who sends, what is tracked.

Values only. They are stored as one JSON document with the run, so that an edit in mid-run changes nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from members.member import Tracking


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends, and what the law wants said about it in every mail.

    `postal_address` and `contact` are shown in the footer; `domain` is the one that signs and that Message-IDs bear.
    """

    name: str
    address: str
    reply_to: str | None
    postal_address: str
    contact: str
    domain: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along: `content_type` is its media type, `size` in bytes; its bytes are kept elsewhere."""

    attachment_id: UUID
    name: str
    content_type: str
    size: int

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Attachment":
        """Return the attachment that a content's document describes."""
        return cls(**{**document, "attachment_id": UUID(document["attachment_id"])})


LETTER_URL = "letter_url"
"""The name under which a letter's templates find its reader's own link."""


@dataclass(frozen=True, slots=True)
class LetterFacts:
    """What makes a content a letter: mail to one member that is no list's, with one link, `url`/token.

    Then nothing is tracked, no footer is added, and no header offers to unsubscribe. `to_new_address`: it goes to the
    address that the member wants to have.
    """

    url: str
    to_new_address: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """One immutable version of what is sent.

    `subject`, `preheader`, `html` and `text` are templates in the closed language of `language.py`; `attributes` are
    the names that they may use, `keys` says which of them stand for a value of another key: an attribute was called
    otherwise before. An empty `text` is derived from `html`; an empty `html` makes a plain text mail. Of the
    `attachments` those that `html` names by `cid:` are shown in it. `honeypot`: the HTML holds a link that no reader
    sees. `tracking` is the most that may be noted of a reader; `tracker_url` is where links lead, empty for the
    installation's own tracker.
    """

    subject: str
    preheader: str
    html: str
    text: str
    sender: Sender
    track_opens: bool
    track_clicks: bool
    attributes: tuple[str, ...]
    attachments: tuple[Attachment, ...] = ()
    keys: Mapping[str, str] = field(default_factory=dict)
    letter: LetterFacts | None = None
    honeypot: bool = False
    tracking: Tracking = "full"
    tracker_url: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON document that `from_json` reads back."""
        document = {**asdict(self), "attributes": list(self.attributes)}
        if self.letter is None:
            # As it always was: a message's bytes are made of this document, too.
            del document["letter"]
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Content":
        """Return the content that a document of `to_json` describes."""
        return cls(
            **{
                **document,
                "sender": Sender(**document["sender"]),
                "attributes": tuple(document["attributes"]),
                "attachments": tuple(map(Attachment.from_json, document.get("attachments", ()))),
                "letter": LetterFacts(**document["letter"]) if document.get("letter") else None,
            }
        )
