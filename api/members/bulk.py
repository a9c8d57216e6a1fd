"""/v1/members/bulk: many members in one call, merged by address as an import merges them."""

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import ConfigDict, Field

from api.auth import By, Requires
from api.members.fields import sent, where_it_stands
from api.members.schemas import Addressed, ConsentGiven, Groups, Topics, consent_of
from api.problems import FaultShown
from api.route import Route
from api.services import From
from api.values import Answer, Body, MemberId
from core.errors import InvalidInput
from members.bulk import MAX_MEMBERS, Item, Outcome
from members.imports.options import Mode

router = APIRouter(prefix="/v1/members", tags=["members"], route_class=Route)


class BulkMembers(Body):
    """Up to 1,000 members, and what holds for all of them. New ones become active: `consent` says by what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "members": [{"email": "taro@example.jp", "locale": "ja", "attributes": {"name": "山田太郎"}}],
                    "consent": {"source": "2026-form", "given_at": "2026-11-01T10:00:00+09:00"},
                }
            ]
        }
    )

    members: Annotated[list[Addressed], Field(min_length=1, max_length=MAX_MEMBERS)]
    mode: Mode = Field("upsert", description="add: new ones only; update: known ones only; replace: drop other values")
    consent: ConsentGiven | None = Field(None, description="Needed unless the mode is update and no topic is joined")
    groups: Groups = Field(default_factory=list, description="To put them into")
    topics: Topics = Field(default_factory=list, description="To join by this consent; nobody joins one that they left")


class OutcomeShown(Answer):
    """What became of one member. Pointers are into the request."""

    state: Literal["created", "updated", "unchanged", "rejected"]
    id: MemberId | None
    errors: list[FaultShown]


class BulkShown(Answer):
    """What became of each member, in the order of the request."""

    created: int
    updated: int
    unchanged: int
    rejected: int
    items: list[OutcomeShown]


@router.post("/bulk", dependencies=[Requires("members:write")])
async def merge_members(body: BulkMembers, by: By, services: From) -> BulkShown:
    """Create and change up to 1,000 members by address, together. One that can't be taken costs itself alone."""
    outcomes = await services.bulk.merge(
        by.account_id,
        _items(body),
        mode=body.mode,
        consent=consent_of(body.consent, services.clock),
        groups=body.groups,
        topics=body.topics,
    )
    counts = {
        state: sum(outcome.state == state for outcome in outcomes)
        for state in ("created", "updated", "unchanged", "rejected")
    }
    shown = [_shown(place, *one) for place, one in enumerate(zip(body.members, outcomes, strict=True))]
    return BulkShown(**counts, items=shown)


def _items(body: BulkMembers) -> list[Item]:
    items, faults = [], []
    for place, member in enumerate(body.members):
        try:
            items.append(Item(member.email, sent(member, member.attributes)))
        except InvalidInput as error:
            faults += [replace(fault, pointer=f"/members/{place}{fault.pointer}") for fault in error.faults]
    if faults:
        raise InvalidInput("Values are said twice", faults)
    return items


def _shown(place: int, member: Addressed, outcome: Outcome) -> OutcomeShown:
    faults = [where_it_stands(member, fault) for fault in outcome.faults]
    errors = [
        FaultShown(pointer=f"/members/{place}{fault.pointer}", code=fault.code, detail=fault.detail) for fault in faults
    ]
    return OutcomeShown(state=outcome.state, id=outcome.member_id, errors=errors)
