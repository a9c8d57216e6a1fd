"""Reads a rule from JSON against what the account has; faults name their node by JSON pointer (RFC 6901), all at once.

A named segment is read in its place, so that a rule that was read stands for itself. A segment that leads back to
itself is refused with the way that it takes.
"""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast, get_args
from uuid import UUID

from core import ids
from core.errors import Fault, InvalidInput, NotFound
from members.attribute import Definitions
from members.groups import KIND as GROUP
from members.rules.facts import read_consent, read_seen, read_status
from members.rules.faults import fault, gather, refusal
from members.rules.operands import read_test
from members.rules.tree import All, AnyOf, InGroup, InTopic, Mailed, MailEvent, Not, Rule, SeenEvent
from members.topics import KIND as TOPIC

CAMPAIGN = "cmp"
SEGMENT = "seg"
TAGS = "tags"
"""The attribute that `{"tag": …}` asks."""

MAX_DEPTH = 20
MAX_NODES = 500


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What a rule may name: the account's attributes, groups, topics, campaigns, and segments with their rules."""

    definitions: Definitions
    groups: Container[UUID] = frozenset()
    topics: Container[UUID] = frozenset()
    campaigns: Container[UUID] = frozenset()
    segments: Mapping[UUID, object] = field(default_factory=dict)


def read_rule(content: object, known: Vocabulary, pointer: str = "", *, of: UUID | None = None) -> Rule:
    """Read a rule, the one of the segment `of` if it has one; raise InvalidInput with all faults."""
    return _Reading(known, [of] if of else []).node(content, pointer, 1)


def campaigns_in(content: object) -> set[UUID]:
    """Return the campaigns that a rule's JSON names, right or wrong: whether they are there is asked all at once."""
    found = set()
    left = [content]
    while left:
        node = left.pop()
        if isinstance(node, list):
            left.extend(node)
        elif isinstance(node, Mapping):
            left.extend(node.values())
            found |= {_decoded(CAMPAIGN, node.get(event)) for event in get_args(MailEvent)}
    return {campaign for campaign in found if campaign is not None}


class _Reading:
    """One pass over a tree. `trail`: the segments that led to where it is."""

    def __init__(self, known: Vocabulary, trail: list[UUID]) -> None:
        self._known = known
        self._trail = trail
        self._nodes = 0
        self._too_large = False
        self._kinds: Mapping[str, Callable[[object, str, int], Rule]] = {
            "all": self._branch,
            "any": self._branch,
            "not": lambda content, pointer, depth: Not(self.node(content, pointer, depth + 1)),
            "group": self._group,
            "topic": self._topic,
            "tag": self._tag,
            "status": lambda content, pointer, _: read_status(content, pointer),
            "consent": lambda content, pointer, _: read_consent(content, pointer, known.topics),
            "segment": self._segment,
            **dict.fromkeys(get_args(MailEvent), self._mailed),
            **dict.fromkeys(get_args(SeenEvent), self._seen),
        }

    def node(self, content: object, pointer: str, depth: int) -> Rule:
        self._nodes += 1
        if depth > MAX_DEPTH or self._nodes > MAX_NODES:
            if self._too_large:
                raise refusal()  # said once already
            self._too_large = True
            detail = f"At most {MAX_DEPTH} levels and {MAX_NODES} nodes, those of named segments included"
            raise fault(pointer, "too-large", detail)
        if not isinstance(content, Mapping):
            raise fault(pointer, "not-a-rule", "A rule is an object")
        if "attribute" in content:
            return read_test(content, pointer, self._known.definitions)
        kind = next(iter(content), "")
        if len(content) != 1 or kind not in self._kinds:
            raise fault(pointer, "not-a-rule", f"A rule has one of: attribute, {', '.join(self._kinds)}")
        return self._kinds[kind](content[kind], f"{pointer}/{kind}", depth)

    def _branch(self, content: object, pointer: str, depth: int) -> Rule:
        if not isinstance(content, list) or not content:
            raise fault(pointer, "not-a-list", "A list of at least one rule")
        parts = gather(
            partial(self.node, part, f"{pointer}/{number}", depth + 1) for number, part in enumerate(content)
        )
        return All(tuple(parts)) if pointer.endswith("/all") else AnyOf(tuple(parts))

    def _group(self, content: object, pointer: str, _: int) -> Rule:
        group_id = _decoded(GROUP, content)
        if group_id is None or group_id not in self._known.groups:
            raise fault(pointer, "unknown-group", "The account has no such group")
        return InGroup(group_id)

    def _topic(self, content: object, pointer: str, _: int) -> Rule:
        topic_id = _decoded(TOPIC, content)
        if topic_id is None or topic_id not in self._known.topics:
            raise fault(pointer, "unknown-topic", "The account has no such topic")
        return InTopic(topic_id)

    def _tag(self, content: object, pointer: str, _: int) -> Rule:
        attribute = self._known.definitions.named(TAGS)
        if attribute is None or attribute.type != "tags":
            raise fault(pointer, "unknown-attribute", f"The account has no attribute {TAGS} of the type tags")
        try:
            return read_test({"attribute": TAGS, "contains": content}, pointer, self._known.definitions)
        except InvalidInput as error:
            raise refusal(*(replace(one, pointer=pointer) for one in error.faults)) from None

    def _mailed(self, content: object, pointer: str, _: int) -> Rule:
        campaign_id = _decoded(CAMPAIGN, content)
        if campaign_id is None or campaign_id not in self._known.campaigns:
            raise fault(pointer, "unknown-campaign", "The account has no such campaign")
        return Mailed(cast("MailEvent", pointer.rpartition("/")[2]), campaign_id)

    def _seen(self, content: object, pointer: str, _: int) -> Rule:
        return read_seen(cast("SeenEvent", pointer.rpartition("/")[2]), content, pointer)

    def _segment(self, content: object, pointer: str, depth: int) -> Rule:
        segment_id = _decoded(SEGMENT, content)
        if segment_id is None or segment_id not in self._known.segments:
            raise fault(pointer, "unknown-segment", "The account has no such segment")
        if segment_id in self._trail:
            way = " → ".join(ids.encode(SEGMENT, one) for one in (*self._trail, segment_id))
            raise fault(pointer, "segment-cycle", f"The segment leads back to itself: {way}")
        self._trail.append(segment_id)
        try:
            # One level deeper: segments that name one another are bounded as all other nodes are.
            return self.node(self._known.segments[segment_id], "", depth + 1)
        except InvalidInput as error:
            # Said where the segment is named, as its own pointers lead into another rule.
            raise refusal(*(Fault(pointer, one.code, _inside(one)) for one in error.faults)) from None
        finally:
            self._trail.pop()


def _inside(one: Fault) -> str:
    return f"In the segment's rule at {one.pointer}: {one.detail}" if one.pointer else one.detail


def _decoded(kind: str, text: object) -> UUID | None:
    try:
        return ids.decode(kind, text) if isinstance(text, str) else None
    except NotFound:
        return None
