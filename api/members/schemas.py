"""Members as they are sent and shown; personal fields are masked for a key without members:read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from api.pagination import Page
from api.values import Answer, Body, GroupId, Instant, MemberId
from members.addresses import mask
from members.member import ConsentRecord, Member, Status

MAX_ADDRESS = 320
MAX_GROUPS = 200
MASKED = "***"

Address = Annotated[str, Field(max_length=MAX_ADDRESS, examples=["taro@example.jp"])]
Values = Annotated[
    dict[str, Any],
    Field(max_length=200, description="By attribute; null removes a value", examples=[{"name": "山田太郎"}]),
]
Groups = Annotated[list[GroupId], Field(max_length=MAX_GROUPS)]

_EXAMPLE: JsonDict = {
    "email": "taro@example.jp",
    "attributes": {"name": "山田太郎"},
    "consent": {"source": "2026-form", "given_at": "2026-11-01T10:00:00+09:00"},
}


class ConsentGiven(Body):
    """By what the member consented, and when; now, if no time is said."""

    source: str = Field(min_length=1, max_length=200)
    given_at: Instant | None = None


class NewMember(Body):
    """A member: active with a consent, unconfirmed without, and then never mailed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    email: Address
    attributes: Values = Field(default_factory=dict)
    groups: Groups = Field(default_factory=list)
    consent: ConsentGiven | None = None


class MemberChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"attributes": {"name": "山田花子"}}]})

    email: Address | None = None
    attributes: Values | None = None
    groups: Groups | None = None
    consent: ConsentGiven | None = Field(None, description="Makes the member active")
    withdrawn_by: str | None = Field(None, min_length=1, max_length=200, description="Ends the consent; says by what")


class MemberSearch(Body):
    """An exact address."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "taro@example.jp"}]})

    email: Address


class MembersPage(Page):
    """Which members are asked for."""

    status: Status | None = None
    count: Literal[False] = False


class MemberShown(Answer):
    """A member."""

    id: MemberId
    email: str
    status: Status
    attributes: dict[str, Any]
    groups: list[GroupId]
    created_at: datetime
    updated_at: datetime


class ConsentShown(Answer):
    """One entry of the consent ledger, which is only added to."""

    kind: Literal["given", "withdrawn"]
    scope: str
    source: str
    occurred_at: datetime


class ConsentsShown(Answer):
    """A member's consents, oldest first."""

    items: list[ConsentShown]
    next: None = None


def shown(member: Member, visible: frozenset[str] | None) -> MemberShown:
    """Return what the API shows of a member. `visible`: the attributes that may be read; None for everything."""
    return MemberShown(
        id=member.member_id,
        email=member.address if visible is None else mask(member.address),
        status=member.status,
        attributes=_masked(member.values, visible),
        groups=list(member.groups),
        created_at=member.created_at,
        updated_at=member.updated_at,
    )


def shown_consents(ledger: Sequence[ConsentRecord]) -> ConsentsShown:
    """Return what the API shows of a consent ledger."""
    return ConsentsShown(items=[ConsentShown.model_validate(record) for record in ledger])


def _masked(values: Mapping[str, Any], visible: frozenset[str] | None) -> dict[str, Any]:
    return {name: value if visible is None or name in visible else MASKED for name, value in values.items()}
