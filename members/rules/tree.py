"""The nodes of a rule. Pure values: what each means stands in docs/reference/attributes-and-rules.md."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from members.attribute import Attribute
from members.profile import Value

MailEvent = Literal["received", "opened", "clicked"]
SeenEvent = Literal["last_open", "last_click"]


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: "tuple[Rule, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Rule"


@dataclass(frozen=True, slots=True)
class InGroup:
    """The member is in the group."""

    group_id: UUID


@dataclass(frozen=True, slots=True)
class InTopic:
    """The member chose the topic."""

    topic_id: UUID


@dataclass(frozen=True, slots=True)
class HasStatus:
    """The member's status is one of these."""

    statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Test:
    """An attribute compared with values in their stored forms; `is_set` has one boolean, `within_days` one number."""

    attribute: Attribute
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Consented:
    """The ledger has a consent given (or, if not `given`, withdrawn) that fits all that is named."""

    given: bool
    scope: str | None = None
    source: str | None = None
    after: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mailed:
    """A mail of the campaign was accepted for the member, opened, or clicked in."""

    event: MailEvent
    campaign_id: UUID


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The member's last open or click was at or after `after`, before `before`, within `days` of now; or ever was."""

    event: SeenEvent
    after: datetime | None = None
    before: datetime | None = None
    days: int | None = None


Leaf: TypeAlias = InGroup | InTopic | HasStatus | Test | Consented | Mailed | LastSeen
Rule: TypeAlias = All | AnyOf | Not | Leaf
