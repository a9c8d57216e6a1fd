"""Events as they are asked for and shown."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.pagination import page_after
from api.values import Answer, CampaignId, EventId, MemberId, RunId
from core.errors import Fault, InvalidInput
from tracking.feed import FedEvent, FedKind
from tracking.machines.rules import Label

MAX_LIMIT = 10_000
MAX_POSITION = 2**63 - 1


class EventsAsked(BaseModel):
    """Which part of the feed is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(500, ge=1, le=MAX_LIMIT, description="How many at most")
    cursor: str | None = Field(None, max_length=100, description="`next` of the answer before; none: from the first")
    kind: FedKind | None = Field(None, description="Of this kind alone")
    format: Literal["json", "jsonl"] = Field("json", description="`jsonl`: an event a line, `next` in the Link header")

    @property
    def after(self) -> int:
        """The place behind which to read: a cursor is an id like all others, here it holds one."""
        after = page_after(self.cursor, "/query/cursor")
        if after is not None and after.int > MAX_POSITION:
            raise InvalidInput("The cursor is of another list", [Fault("/query/cursor", "invalid", "Of another list")])
        return after.int if after else 0


class EventShown(Answer):
    """Something that came back from a delivery. `link` and `url` are a click's."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "evt_00000000000000000000000g3r",
                    "kind": "click",
                    "campaign": "cmp_01jd0n4v7m8x2e6g9qk3s5t7wz",
                    "run": "run_01jd0n4v7m8x2e6g9qk3s5t7wz",
                    "member": "mem_01jd0n4v7m8x2e6g9qk3s5t7wz",
                    "link": 0,
                    "url": "https://shop.example.jp/spring",
                    "occurred_at": "2026-12-01T00:04:11.250000Z",
                    "label": "machine",
                    "rule": "scanner",
                    "detail": None,
                }
            ]
        }
    )

    id: EventId = Field(description="Its place in the feed: the same at every reading")
    kind: FedKind
    campaign: CampaignId
    run: RunId
    member: MemberId
    link: int | None
    url: str | None
    occurred_at: datetime
    label: Label = Field(description="Whether a person or a machine did it; final once settled")
    rule: str | None = Field(description="The rule that says so")
    detail: str | None = Field(description="A bounce's class")


class EventsShown(Answer):
    """A page of the feed. `next` is always there: ask again with it, later, for what comes then."""

    items: list[EventShown]
    next: str
    up_to_date: bool = Field(description="Whether this page reaches what was stored a moment ago")


def shown(event: FedEvent) -> EventShown:
    """Return what the API shows of an event."""
    return EventShown(
        id=UUID(int=event.position),
        kind=event.kind,
        campaign=event.campaign_id,
        run=event.run_id,
        member=event.member_id,
        link=event.link,
        url=event.url,
        occurred_at=event.occurred_at,
        label=event.label,
        rule=event.rule,
        detail=event.detail,
    )
