"""Attributes: what an account keeps of its members, defined at run time, without a restart or a migration.

An attribute's key is its first name and never changes: a member's values and facets stand under it. Its name is what
people say; templates, rules, files and requests may go on saying any name that it ever had.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

from core.errors import Fault, InvalidInput
from members.profile import Value

AttributeType = Literal["text", "number", "boolean", "date", "datetime", "choice", "tags"]
Protection = Literal["sealed", "matchable", "open"]

RESERVED = frozenset(
    {"address", "consent", "created_at", "email", "group", "groups", "id", "line", "member_id", "preferences_url",
     "reason", "revision", "status", "topic", "topics", "unsubscribe_url", "updated_at", "web_url"}
)  # fmt: skip
MAX_ATTRIBUTES = 200
MAX_CHOICES = 1000
MAX_LABEL = 200
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_LANGUAGE = re.compile(r"[a-z]{2}")


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice: the value that is stored and its label by language (`{"ja": "東京", "en": "Tokyo"}`)."""

    value: str
    label: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A definition. `used`: some member has or had a value of it; `default`: what a new member has without one.

    `member_editable`: members see and change it on their own pages. `resealing`: the generation that all members must
    have reached until their facets are of this protection; None once they are. Until then only the sealed profile tells
    the truth about it.
    """

    attribute_id: UUID
    key: str
    name: str
    type: AttributeType
    protection: Protection
    label: Mapping[str, str]
    choices: tuple[Choice, ...]
    required: bool
    ask_at_signup: bool
    used: bool
    revision: int
    resealing: int | None = None
    former_names: tuple[str, ...] = ()
    default: Value | None = None
    built_in: bool = False
    member_editable: bool = False

    @property
    def filtered_as(self) -> Protection:
        """What rules may rely on: `sealed` while members are still brought over to the protection."""
        return self.protection if self.resealing is None else "sealed"


class Definitions(dict[str, Attribute]):
    """An account's attributes by key, in the order of their making: as a member's values and facets name them."""

    def __init__(self, attributes: Iterable[Attribute] = ()) -> None:
        super().__init__((attribute.key, attribute) for attribute in attributes)
        self._named = {name: one for one in self.values() for name in (*one.former_names, one.name)}

    def named(self, name: str) -> Attribute | None:
        """Return the attribute that people call or called so, None if there is none."""
        return self._named.get(name)

    @property
    def names(self) -> Mapping[str, str]:
        """Every name that may be said, former ones too, with the key behind it."""
        return {name: attribute.key for name, attribute in self._named.items()}


def check_definition(
    name: str, type_: str, protection: str, label: Mapping[str, str], choices: Sequence[Choice]
) -> None:
    """Raise InvalidInput with every fault of a definition at once."""
    faults = []
    if not _NAME.fullmatch(name):
        faults.append(Fault("/name", "bad-name", "Lower-case letters, digits and _, from a letter on, at most 63"))
    elif name in RESERVED:
        faults.append(Fault("/name", "reserved-name", "This name has a meaning of its own"))
    if type_ not in get_args(AttributeType):
        faults.append(Fault("/type", "unknown-type", f"One of: {', '.join(get_args(AttributeType))}"))
    if protection not in get_args(Protection):
        faults.append(Fault("/protection", "unknown-protection", f"One of: {', '.join(get_args(Protection))}"))
    faults += _label_faults("/label", label)
    faults += _choice_faults(type_, choices)
    if faults:
        raise InvalidInput("The attribute can't be defined like this", faults)


def _label_faults(pointer: str, label: Mapping[str, str]) -> list[Fault]:
    good = all(_LANGUAGE.fullmatch(language) and 0 < len(text) <= MAX_LABEL for language, text in label.items())
    if good:
        return []
    return [Fault(pointer, "bad-label", f"Texts of 1 to {MAX_LABEL} characters by two-letter language")]


def _choice_faults(type_: str, choices: Sequence[Choice]) -> list[Fault]:
    if type_ == "choice" and not choices:
        return [Fault("/choices", "no-choices", "A choice needs choices")]
    if choices and type_ not in {"choice", "tags"}:
        return [Fault("/choices", "not-a-choice", "Only choice and tags have choices")]
    if len(choices) > MAX_CHOICES:
        return [Fault("/choices", "too-many", f"At most {MAX_CHOICES} choices")]
    faults = []
    seen: set[str] = set()
    for number, choice in enumerate(choices):
        pointer = f"/choices/{number}"
        if (
            not 0 < len(choice.value) <= MAX_LABEL
            or not choice.value.isprintable()
            or choice.value.strip() != choice.value
        ):
            faults.append(Fault(f"{pointer}/value", "bad-choice", f"A text of 1 to {MAX_LABEL} printable characters"))
        if choice.value in seen:
            faults.append(Fault(f"{pointer}/value", "duplicate-choice", "This value stands twice"))
        seen.add(choice.value)
        faults += _label_faults(f"{pointer}/label", choice.label)
    return faults


def choices_from_json(content: Sequence[Any]) -> tuple[Choice, ...]:
    """Read choices: `{"value": …, "label": {…}}` or plain texts; raise InvalidInput naming each wrong one."""
    choices, faults = [], []
    for number, item in enumerate(content):
        if isinstance(item, str):
            choices.append(Choice(item, {}))
        elif isinstance(item, Mapping) and isinstance(item.get("value"), str) and _is_label(item.get("label", {})):
            choices.append(Choice(item["value"], dict(item.get("label", {}))))
        else:
            faults.append(Fault(f"/choices/{number}", "bad-choice", "A text, or an object with value and label"))
    if faults:
        raise InvalidInput("The choices can't be read", faults)
    return tuple(choices)


def _is_label(content: object) -> bool:
    return isinstance(content, Mapping) and all(isinstance(text, str) for text in content.values())


def choices_to_json(choices: Sequence[Choice]) -> list[dict[str, Any]]:
    """Return choices as they are stored and shown."""
    return [{"value": choice.value, "label": dict(choice.label)} for choice in choices]
