"""Campaigns as they are sent and shown."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from api.problems import FaultShown
from api.values import (
    Answer,
    Body,
    CampaignId,
    GroupId,
    Instant,
    LocalOrInstant,
    MemberId,
    Name,
    RunId,
    SegmentId,
    TopicId,
)
from api.values import SenderId as Sender
from api.values import TemplateId as Template
from members.traits import MOST_ATTRIBUTES, MOST_GROUPS, MOST_SEGMENTS
from scheduler.campaigns.check import CampaignCheck
from scheduler.campaigns.fields import HEAVIEST, HIGHEST_RATE, MOST_RULES, Campaign, CampaignFields
from scheduler.campaigns.freezing import MOST_TEST_MEMBERS
from scheduler.campaigns.states import State
from scheduler.campaigns.times import FARTHEST

Segments = Annotated[list[SegmentId], Field(max_length=MOST_RULES)]
Groups = Annotated[list[GroupId], Field(max_length=MOST_RULES)]
Weight = Annotated[int, Field(ge=1, le=HEAVIEST, description="Share among campaigns that run at the same time")]
Rate = Annotated[int, Field(ge=1, le=HIGHEST_RATE, description="Messages an hour at most")]

_EXAMPLE: JsonDict = {
    "name": "December",
    "sender": "snd_01jd0n4v7m8x2e6g9qk3s5t7wz",
    "template": "tpl_01jd0n4v7m8x2e6g9qk3s5t7wz",
    "audience": {"segments": ["seg_01jd0n4v7m8x2e6g9qk3s5t7wz"]},
}


class Excluded(Body):
    """Whom the audience leaves out."""

    segments: Segments = Field(default_factory=list)
    groups: Groups = Field(default_factory=list)


class Audience(Body):
    """Who is written to: `all`, or whoever is in one of the segments or groups; less those excluded.

    With a topic only its members are, and who left it is not.
    """

    all: Literal[True] | None = None
    topic: TopicId | None = None
    segments: Segments = Field(default_factory=list)
    groups: Groups = Field(default_factory=list)
    exclude: Excluded = Field(default_factory=Excluded)


class ReportBy(Body):
    """What reports tell recipients apart by, as it is when the audience is cut.

    Left out: the open attributes of type choice and boolean, the segments that the audience names (as far as open
    attributes, groups and topics decide them), and all groups.
    """

    attributes: list[Annotated[str, Field(max_length=63)]] | None = Field(None, max_length=MOST_ATTRIBUTES)
    segments: list[SegmentId] | None = Field(None, max_length=MOST_SEGMENTS)
    groups: list[GroupId] | None = Field(None, max_length=MOST_GROUPS)


class Tracking(Body):
    """What is counted, and whether machines are looked for by a link that no reader sees (null: as its account)."""

    opens: bool = True
    clicks: bool = True
    honeypot: bool | None = None


class NewCampaign(Body):
    """A draft: nothing is sent before it is scheduled."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    sender: Sender
    template: Template
    audience: Audience
    weight: Weight = 10
    rate_per_hour: Rate | None = None
    tracking: Tracking = Field(default_factory=Tracking)
    resend_uncertain: bool = Field(default=False, description="Send again what may or may not have arrived")
    report_by: ReportBy = Field(default_factory=ReportBy)

    def fields(self) -> CampaignFields:
        """Return what the scheduler stores."""
        return CampaignFields(
            name=self.name,
            sender_id=self.sender,
            template_id=self.template,
            audience=stored_audience(self.audience),
            weight=self.weight,
            rate_per_hour=self.rate_per_hour,
            track_opens=self.tracking.opens,
            track_clicks=self.tracking.clicks,
            track_honeypot=self.tracking.honeypot,
            resend_uncertain=self.resend_uncertain,
            report_by=self.report_by.model_dump(mode="json", exclude_none=True) or None,
        )


class CampaignChange(Body):
    """What is to be otherwise; what is left out stays. An audience is replaced as a whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "December, corrected"}]})

    name: Name | None = None
    sender: Sender | None = None
    template: Template | None = None
    audience: Audience | None = None
    weight: Weight | None = None
    rate_per_hour: Rate | None = None
    tracking: Tracking | None = None
    resend_uncertain: bool | None = None
    report_by: ReportBy | None = None

    def onto(self, present: "CampaignShown") -> NewCampaign:
        """Return the whole draft as it is to be."""
        # Only the rate may be null; a null for the others means nothing and is taken as left out.
        said = {name: getattr(self, name) for name in self.model_fields_set}
        kept = {name: getattr(present, name) for name in NewCampaign.model_fields}
        return NewCampaign.model_construct(
            **kept | {name: value for name, value in said.items() if value is not None or name == "rate_per_hour"}
        )


class Schedule(Body):
    """When it starts: a local time and its zone, a time with its offset, or at once if no time is said."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"at": "2026-12-01T09:00:00", "time_zone": "Asia/Tokyo"}]}
    )

    at: LocalOrInstant | None = None
    time_zone: str | None = Field(None, max_length=64, description="Of the IANA database")


class Pause(Body):
    """When it goes on by itself; not before somebody resumes it if neither is said."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"for_seconds": 3600}]})

    for_seconds: int | None = Field(None, ge=1, le=int(FARTHEST.total_seconds()))
    until: Instant | None = None

    @model_validator(mode="after")
    def _one_end(self) -> Self:
        if self.for_seconds is not None and self.until is not None:
            raise ValueError("Say for_seconds or until, not both")
        return self


class Clone(Body):
    """The copy's name; `… (copy)` if none is given."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "January"}]})

    name: Name | None = None


class TestSend(Body):
    """Who gets a test: members, by id or by address."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"addresses": ["taro@example.jp"]}]})

    members: list[MemberId] = Field(default_factory=list, max_length=MOST_TEST_MEMBERS)
    addresses: list[Annotated[str, Field(max_length=320)]] = Field(default_factory=list, max_length=MOST_TEST_MEMBERS)


class CampaignShown(Answer):
    """A campaign. `run` and what follows describe its newest run; null while it is a draft."""

    id: CampaignId
    name: str
    sender: Sender
    template: Template
    audience: Audience
    weight: int
    rate_per_hour: int | None
    tracking: Tracking
    resend_uncertain: bool
    report_by: ReportBy
    state: State
    created_at: datetime
    updated_at: datetime
    run: RunId | None
    starts_at: datetime | None
    local_time: str | None
    time_zone: str | None
    resume_at: datetime | None = Field(description="When a paused one goes on by itself")


class CampaignChecked(Answer):
    """Whether it can be sent as it stands, and every fault if not."""

    ready: bool
    errors: list[FaultShown]
    links: list[str] = Field(description="The links that are tracked, in order")


class TestStarted(Answer):
    """The test's own run, to watch."""

    run: RunId


def shown(campaign: Campaign) -> CampaignShown:
    """Return what the API shows of a campaign."""
    fields = campaign.fields
    return CampaignShown(
        id=campaign.campaign_id,
        name=fields.name,
        sender=fields.sender_id,
        template=fields.template_id,
        audience=Audience.model_validate(dict(fields.audience)),
        weight=fields.weight,
        rate_per_hour=fields.rate_per_hour,
        tracking=Tracking(opens=fields.track_opens, clicks=fields.track_clicks, honeypot=fields.track_honeypot),
        resend_uncertain=fields.resend_uncertain,
        report_by=ReportBy.model_validate(fields.report_by or {}),
        state=campaign.state,
        created_at=campaign.created_at,
        updated_at=campaign.updated_at,
        run=campaign.run_id,
        starts_at=campaign.starts_at,
        local_time=campaign.local_time,
        time_zone=campaign.time_zone,
        resume_at=campaign.resume_at,
    )


def checked(check: CampaignCheck) -> CampaignChecked:
    """Return what the API shows of a check."""
    return CampaignChecked(
        ready=not check.faults,
        errors=[FaultShown(pointer=fault.pointer, code=fault.code, detail=fault.detail) for fault in check.faults],
        links=list(check.links),
    )


def stored_audience(audience: Audience) -> dict[str, Any]:
    """Return an audience as it is stored: as sent, ids with their kinds in front, without what is empty."""
    document = audience.model_dump(mode="json", exclude_none=True)
    document["exclude"] = {name: ids for name, ids in document["exclude"].items() if ids}
    return {name: part for name, part in document.items() if part}
