"""What GET /v1/members may be asked: filters that hold together, both directions, a count."""

from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.pagination import Page
from api.values import GroupId, Instant, SegmentId, TopicId
from core import ids
from core.errors import InvalidInput
from members.audience import AudienceSource
from members.listing import Which
from members.status import Status
from members.values import MAX_TAG

_KINDS = {"group": "grp", "topic": "top", "segment": "seg"}


class MembersPage(Page):
    """Which members are asked for; every filter narrows the list."""

    status: Status | None = None
    group: GroupId | None = Field(None, description="Who is in it")
    topic: TopicId | None = Field(None, description="Who chose it")
    tag: Annotated[str, Field(min_length=1, max_length=MAX_TAG)] | None = None
    segment: SegmentId | None = Field(None, description="Who meets its rule, where that takes opening nobody")
    created_since: Instant | None = Field(None, description="Who was made then or later")
    sort: Literal["created_at", "-created_at"] = Field("created_at", description="-created_at: newest first")

    @property
    def newest_first(self) -> bool:
        """Whether the list goes backwards."""
        return self.sort.startswith("-")


async def which(page: MembersPage, audiences: AudienceSource, account_id: UUID) -> Which:
    """Return what is asked for; raise InvalidInput for a filter that names what is not there, or takes opening."""
    asked: dict[str, Any] = {name: getattr(page, name) for name in ("group", "topic", "tag", "segment")}
    named = {name: value for name, value in asked.items() if value is not None}
    path = None
    if named:
        nodes = [{name: ids.encode(_KINDS[name], value) if name in _KINDS else value} for name, value in named.items()]
        try:
            audience = await audiences.of_rule(account_id, {"all": nodes})
            path = await audiences.by_facets(account_id, audience, "/query/segment")
        except InvalidInput as error:
            places = {f"/all/{number}": f"/query/{name}" for number, name in enumerate(named)}
            error.faults = tuple(
                replace(fault, pointer=places.get("/".join(fault.pointer.split("/")[:3]), fault.pointer))
                for fault in error.faults
            )
            raise
    return Which(page.status, path, page.created_since)
