"""Members as they are sent and shown; personal fields are masked for a key without members:read."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from api.members.fields import shown_values
from api.pagination import Listed
from api.values import Answer, Body, GroupId, Instant, MemberId, TopicId
from core import ids
from core.clock import Clock
from members.addresses import mask
from members.consents.ledger import MAX_FORM_VERSION, MAX_SOURCE
from members.member import Consent, ConsentKind, ConsentRecord, Member, Tracking
from members.scopes import shown_scope
from members.search import MAX_HITS, MAX_PART, Found
from members.status import Status
from members.values import MAX_TAG, MAX_TAGS

MAX_ADDRESS = 320
MAX_GROUPS = 200
MAX_TOPICS = 200

Address = Annotated[str, Field(max_length=MAX_ADDRESS, examples=["taro@example.jp"])]
Values = Annotated[
    dict[str, Any],
    Field(max_length=200, description="By attribute; null removes a value", examples=[{"name": "山田太郎"}]),
]
Locale = Annotated[str | None, Field(max_length=35, description="A language tag (BCP 47)", examples=["ja"])]
Zone = Annotated[str | None, Field(max_length=64, description="Of the tz database", examples=["Asia/Tokyo"])]
Tags = Annotated[list[Annotated[str, Field(max_length=MAX_TAG)]], Field(max_length=MAX_TAGS, examples=[["vip"]])]
Groups = Annotated[list[GroupId], Field(max_length=MAX_GROUPS)]
Topics = Annotated[list[TopicId], Field(max_length=MAX_TOPICS, description="Joining one needs a consent")]

_EXAMPLE: JsonDict = {
    "email": "taro@example.jp",
    "locale": "ja",
    "tags": ["vip"],
    "attributes": {"name": "山田太郎"},
    "consent": {
        "source": "2026-form",
        "given_at": "2026-11-01T10:00:00+09:00",
        "form_version": "2026-10",
        "origin": "192.0.2.7",
    },
}


class ConsentGiven(Body):
    """By what the member consented, and when; now, if no time is said."""

    source: str = Field(min_length=1, max_length=MAX_SOURCE)
    given_at: Instant | None = None
    form_version: str | None = Field(
        None, min_length=1, max_length=MAX_FORM_VERSION, description="Which text the form showed"
    )
    confirmed_at: Instant | None = Field(None, description="When a double opt-in was confirmed")
    origin: str | None = Field(None, max_length=45, description="The IP address that it came from; kept sealed")


class Addressed(Body):
    """A member by address, and what is said of it."""

    email: Address
    locale: Locale = None
    time_zone: Zone = None
    tags: Tags = Field(default_factory=list)
    attributes: Values = Field(default_factory=dict)


class NewMember(Addressed):
    """A member: active with a consent, pending without, and then never mailed."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    groups: Groups = Field(default_factory=list)
    topics: Topics = Field(default_factory=list)
    consent: ConsentGiven | None = None


class MemberChange(Body):
    """What is to be otherwise; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"attributes": {"name": "山田花子"}}]})

    email: Address | None = None
    locale: Locale = None
    time_zone: Zone = None
    tags: Tags | None = None
    attributes: Values | None = None
    groups: Groups | None = None
    topics: Topics | None = Field(None, description="Leaving one ends the consent to it")
    consent: ConsentGiven | None = Field(None, description="Makes the member active")
    withdrawn_by: str | None = Field(
        None, min_length=1, max_length=MAX_SOURCE, description="Ends the consent; says by what"
    )
    paused_until: Instant | None = Field(None, description="No mail until then; null ends a pause")


class TagsMoved(Body):
    """Tags to add and tags to take away; one that is there, or isn't, already makes no difference."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"add": ["vip"], "remove": ["new"]}]})

    add: Tags = Field(default_factory=list)
    remove: Tags = Field(default_factory=list)


class Search(Body):
    """An exact address, or a part of an address or a name; case, width and spaces don't matter."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"part": "yama", "limit": 20}]})

    email: Address | None = None
    part: str | None = Field(None, min_length=1, max_length=MAX_PART)
    limit: int = Field(50, ge=1, le=MAX_HITS, description="How many at most")
    cursor: str | None = Field(None, max_length=100, description="`next` of the answer before")

    @model_validator(mode="after")
    def _one_of_two(self) -> "Search":
        if (self.email is None) == (self.part is None):
            raise ValueError("Search by email or by part")
        return self


class MemberShown(Answer):
    """A member."""

    id: MemberId
    email: str
    status: Status
    paused_until: datetime | None
    tracking: Tracking = Field(description="What may be noted of the member's reading, by their own choice")
    least_days: int | None = Field(description="Days between two campaigns' mails at least, by the member's own choice")
    locale: str | None
    time_zone: str | None
    tags: list[str]
    attributes: dict[str, Any]
    groups: list[GroupId]
    topics: list[TopicId]
    created_at: datetime
    updated_at: datetime


class SearchShown(Listed[MemberShown]):
    """Whom a search met. A search by part ends after some seconds, maybe with no item: go on with `next`.

    `scanned`: how many members it has looked at.
    """

    scanned: int


class ConsentShown(Answer):
    """One record of the consent ledger, which is only added to.

    `link` and `hash` are its place in the account's chain, which `todoku verify --consent` proves.
    """

    kind: ConsentKind
    scope: str = Field(description="all, or a topic's id")
    source: str
    form_version: str | None
    occurred_at: datetime
    recorded_at: datetime
    confirmed_at: datetime | None
    origin: str | None = Field(description="The IP address that it came from, where it was recorded")
    link: int
    hash: str


class ConsentsShown(Answer):
    """A member's consents, oldest first."""

    items: list[ConsentShown]
    next: None = None


def consent_of(given: ConsentGiven | None, clock: Clock) -> Consent | None:
    """Return a consent as the stores take it; given now, if no time is said."""
    if given is None:
        return None
    return Consent(given.source, given.given_at or clock.now(), given.form_version, given.confirmed_at, given.origin)


def shown(member: Member, visible: frozenset[str] | None) -> MemberShown:
    """Return what the API shows of a member. `visible`: the attributes that may be read; None for everything."""
    return MemberShown(
        id=member.member_id,
        email=member.address if visible is None else mask(member.address),
        status=member.status,
        paused_until=member.paused_until,
        tracking=member.tracking,
        least_days=member.least_days,
        **shown_values(member.values, visible),
        groups=list(member.groups),
        topics=list(member.topics),
        created_at=member.created_at,
        updated_at=member.updated_at,
    )


def shown_consents(ledger: Sequence[ConsentRecord]) -> ConsentsShown:
    """Return what the API shows of a consent ledger."""
    return ConsentsShown(items=[_shown_record(record) for record in ledger])


def _shown_record(record: ConsentRecord) -> ConsentShown:
    return ConsentShown(
        kind=record.kind,
        scope=shown_scope(record.scope),
        source=record.source,
        form_version=record.form_version,
        occurred_at=record.occurred_at,
        recorded_at=record.recorded_at,
        confirmed_at=record.confirmed_at,
        origin=record.origin,
        link=record.link,
        hash=record.hash.hex(),
    )


def shown_search(found: Found, members: Sequence[Member]) -> SearchShown:
    """Return what the API shows of a search; `members` are those that were found, opened."""
    return SearchShown(
        items=[shown(member, None) for member in members],
        next=None if found.next is None else ids.encode("cur", found.next),
        scanned=found.scanned,
    )
