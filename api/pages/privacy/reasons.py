"""Why a member got a mail, in plain words: by which consent, and by which rule of the campaign."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.pages.language import mark as _
from core.errors import InvalidInput
from members.attribute import Attribute, Definitions
from members.member import ConsentRecord
from members.rules.reading import Vocabulary
from members.rules.tree import (
    All,
    AnyOf,
    Consented,
    HasStatus,
    InGroup,
    InTopic,
    LastSeen,
    Mailed,
    Not,
    Rule,
    Test,
)
from members.scopes import ALL
from members.topics import Topic
from members.wanted import read_wanted

Words = Callable[[str], str]
"""Gives a text of the catalogue in the reader's language."""


@dataclass(frozen=True, slots=True)
class Names:
    """What things are called in the reader's language."""

    words: Words
    topics: Mapping[object, str]
    attribute: Callable[[Attribute], str]


class _Anything:
    """Holds every id: what a campaign named may be gone by now."""

    def __contains__(self, whatever: object) -> bool:
        return True


def consent_behind(records: Sequence[ConsentRecord], at: datetime) -> ConsentRecord | None:
    """Return the consent to all mail that stood at a time, None where none did."""
    given = [one for one in records if one.scope == ALL and one.kind == "given" and one.occurred_at <= at]
    return given[-1] if given else None


def rule_behind(
    wanted: Mapping[str, Any], definitions: Definitions, segments: Mapping[Any, Any], names: Names
) -> list[str]:
    """Return the conditions by which a campaign chose its audience, a sentence each; none: it went to everybody.

    `segments`: their rules, by id, as they are now.
    """
    known = Vocabulary(definitions, _Anything(), _Anything(), _Anything(), segments)
    try:
        rule = read_wanted(wanted, known)
    except InvalidInput:
        return [names.words(_("A list that the sender no longer keeps"))]
    if rule is None:
        return []
    parts = rule.parts if isinstance(rule, All) else (rule,)
    return [said(part, names) for part in parts]


def said(rule: Rule, names: Names) -> str:
    """Say a rule. Values are said of open attributes alone: others' may be somebody else's affair."""
    words = names.words
    match rule:
        case All(parts):
            return words(_(" and ")).join(said(part, names) for part in parts)
        case AnyOf(parts):
            return words(_(" or ")).join(said(part, names) for part in parts)
        case Not(part):
            return words(_("not: %s")) % said(part, names)
        case InTopic(topic_id):
            return words(_("you chose the topic “%s”")) % names.topics.get(topic_id, "?")
        case Test():
            return _test(rule, names)
    return words(_OF[type(rule)])


_OF: Mapping[type, str] = {
    InGroup: _("you are in a group that the sender put together"),
    HasStatus: _("the state of your subscription"),
    Consented: _("when or how you consented"),
    Mailed: _("an earlier mail that you got, opened or clicked in"),
    LastSeen: _("when you last opened a mail or followed a link"),
}


def _test(test: Test, names: Names) -> str:
    label = names.attribute(test.attribute)
    if test.attribute.protection != "open":
        return names.words(_("what we hold as “%s”")) % label
    values = ", ".join(str(value) for value in test.values)
    return names.words(_("“%(name)s” is compared with: %(values)s")) % {"name": label, "values": values}


def topic_names(topics: Sequence[Topic], language: str) -> dict[object, str]:
    """Return the topics' labels by id."""
    return {one.topic_id: one.label.get(language) or next(iter(one.label.values()), one.name) for one in topics}
