"""What a consent or a suppression is about: all mail, one topic's, or, of suppressions, everything by the operator."""

from collections.abc import Collection
from uuid import UUID

from core import ids
from core.errors import Fault, InvalidInput, NotFound
from members.topics import KIND

ALL = "all"
GLOBAL = "global"
"""The scope of what the installation's operator suppresses, whatever the account."""


def topic_scope(topic_id: UUID) -> str:
    """Return the scope of what concerns one topic, as it is stored."""
    return f"topic:{topic_id}"


def shown_scope(scope: str) -> str:
    """Return a scope as it is shown: `all`, `global`, or a topic's id."""
    kind, _, topic_id = scope.partition(":")
    return ids.encode(KIND, UUID(topic_id)) if topic_id else kind


def read_scope(text: str, topics: Collection[UUID]) -> str:
    """Return the stored form of `all`, or of the shown id of one of these topics; raise InvalidInput, at `/scope`."""
    if text == ALL:
        return ALL
    try:
        topic_id = ids.decode(KIND, text)
    except NotFound:
        topic_id = None
    if topic_id is None or topic_id not in topics:
        fault = Fault("/scope", "unknown-scope", "all, or the id of one of the account's topics")
        raise InvalidInput("There is no such scope", [fault])
    return topic_scope(topic_id)
