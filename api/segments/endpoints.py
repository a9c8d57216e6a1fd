"""/v1/segments: rules over what is known of members, and previews of what they find."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response, status

from api import revisions
from api.auth import By, Requires
from api.pagination import Listed, Paged, part
from api.revisions import IfMatch
from api.route import Route
from api.segments.schemas import (
    FoundShown,
    NewSegment,
    PreviewShown,
    SegmentChange,
    SegmentShown,
    SegmentTried,
    shown,
    shown_found,
    shown_preview,
)
from api.services import From, Services
from api.values import PreviewPath, SegmentPath
from core import ids

router = APIRouter(prefix="/v1/segments", tags=["segments"], route_class=Route)

TAKES_TIME: dict[int | str, dict[str, Any]] = {
    202: {"model": PreviewShown, "description": "It takes opening members: follow the preview at `Location`"}
}


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("segments:write")])
async def create_segment(body: NewSegment, response: Response, by: By, services: From) -> SegmentShown:
    """Create a segment. Its rule may ask all that is known of members, sealed or not."""
    made = await services.segments.create(by.account_id, body.name, body.rule)
    response.headers["Location"] = f"/v1/segments/{ids.encode('seg', made.segment_id)}"
    revisions.tag(response, made.revision)
    return shown(made)


@router.get("", dependencies=[Requires("segments:read")])
async def list_segments(page: Paged, by: By, services: From) -> Listed[SegmentShown]:
    """List segments, oldest first."""
    whole = await services.segments.list(by.account_id)
    found, following = part(whole, page, lambda segment: segment.segment_id)
    return Listed(items=[shown(segment) for segment in found], next=following, count=len(whole) if page.count else None)


@router.post("/preview", dependencies=[Requires("segments:read")], responses=TAKES_TIME)
async def preview_rule(body: SegmentTried, response: Response, by: By, services: From) -> FoundShown | PreviewShown:
    """Count what a rule that is not stored finds now; the same that a snapshot now would hold.

    200 where facets tell. A rule on sealed values, consent, status or engagement is 202: a worker counts it.
    """
    return await _previewed(body.rule, "/rule", response, by.account_id, services)


@router.get("/previews/{preview_id}", dependencies=[Requires("segments:read")])
async def get_preview(preview_id: PreviewPath, by: By, services: From) -> PreviewShown:
    """Follow a preview: its progress, and what it found."""
    return shown_preview(await services.previews.get(by.account_id, preview_id))


@router.delete(
    "/previews/{preview_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("segments:read")]
)
async def cancel_preview(preview_id: PreviewPath, by: By, services: From) -> None:
    """Cancel a preview, or forget a finished one."""
    await services.previews.cancel(by.account_id, preview_id)


@router.get("/{segment_id}", dependencies=[Requires("segments:read")])
async def get_segment(segment_id: SegmentPath, response: Response, by: By, services: From) -> SegmentShown:
    """Read a segment."""
    segment = await services.segments.get(by.account_id, segment_id)
    revisions.tag(response, segment.revision)
    return shown(segment)


@router.patch("/{segment_id}", dependencies=[Requires("segments:write")])
async def change_segment(
    segment_id: SegmentPath, revision: IfMatch, body: SegmentChange, response: Response, by: By, services: From
) -> SegmentShown:
    """Change a segment. Audiences that are cut already stay as they are."""
    changed = await services.segments.change(by.account_id, segment_id, revision, name=body.name, rule=body.rule)
    revisions.tag(response, changed.revision)
    return shown(changed)


@router.delete("/{segment_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Requires("segments:write")])
async def remove_segment(segment_id: SegmentPath, by: By, services: From) -> None:
    """Remove a segment. A campaign that names it can't be scheduled any more."""
    await services.segments.remove(by.account_id, segment_id)


@router.post("/{segment_id}/preview", dependencies=[Requires("segments:read")], responses=TAKES_TIME)
async def preview_segment(
    segment_id: SegmentPath, response: Response, by: By, services: From
) -> FoundShown | PreviewShown:
    """Count what a segment finds now, as with a rule that is not stored."""
    segment = await services.segments.get(by.account_id, segment_id)
    return await _previewed(segment.rule, "", response, by.account_id, services)


async def _previewed(
    rule: Mapping[str, Any], pointer: str, response: Response, account_id: UUID, services: Services
) -> FoundShown | PreviewShown:
    audience = await services.audiences.of_rule(account_id, rule, pointer)
    found = await services.previews.at_once(account_id, audience)
    if found is not None:
        return shown_found(found)
    preview_id = services.new_id()
    async with services.jobs.due_after(account_id, "preview", preview_id):
        preview = await services.previews.begin(account_id, preview_id, audience)
    response.status_code = status.HTTP_202_ACCEPTED
    response.headers["Location"] = f"/v1/segments/previews/{ids.encode('prv', preview_id)}"
    return shown_preview(preview)
