"""What somebody says yes to: the words beside the boxes, under a version that names them exactly. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from api.pages.signup.fields import said
from core import ids
from members.topics import Topic
from scheduler.branding import Branding


@dataclass(frozen=True, slots=True)
class Wording:
    """The main consent and each topic's label (id as shown, label), in one language."""

    language: str
    consent: str
    topics: tuple[tuple[str, str], ...]

    @property
    def content(self) -> Mapping[str, Any]:
        """What is kept, for who asks later what was consented to."""
        return {"language": self.language, "consent": self.consent, "topics": dict(self.topics)}

    @property
    def version(self) -> str:
        """The name of exactly these words: the language and a digest."""
        return f"{self.language}-{sha256(orjson.dumps(self.content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]}"


def wording_of(branding: Branding, topics: Sequence[Topic], language: str, usual: str) -> Wording:
    """Return a form's wording; `usual` is said where the account has no words of its own."""
    return Wording(
        language,
        branding.text("consent", language) or usual,
        tuple((ids.encode("top", topic.topic_id), said(topic.label, language, topic.name)) for topic in topics),
    )
