"""/v1/segments: rules over what is known of members."""

from fastapi import APIRouter, Response, status

from api import revisions
from api.auth import By, Requires
from api.pagination import Listed, Paged, part
from api.revisions import IfMatch
from api.route import Route
from api.segments.schemas import (
    NewSegment,
    PreviewShown,
    SegmentChange,
    SegmentShown,
    SegmentTried,
    shown,
    shown_preview,
)
from api.services import From
from api.values import SegmentPath
from core import ids

router = APIRouter(prefix="/v1/segments", tags=["segments"], route_class=Route)


@router.post("", status_code=status.HTTP_201_CREATED, dependencies=[Requires("segments:write")])
async def create_segment(body: NewSegment, response: Response, by: By, services: From) -> SegmentShown:
    """Create a segment. Rules are over open and matchable attributes and groups."""
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


@router.post("/preview", dependencies=[Requires("segments:read")])
async def preview_rule(body: SegmentTried, by: By, services: From) -> PreviewShown:
    """Count what a rule that is not stored finds now; the same that a snapshot now would hold."""
    return shown_preview(await services.segments.preview(by.account_id, body.rule))


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


@router.post("/{segment_id}/preview", dependencies=[Requires("segments:read")])
async def preview_segment(segment_id: SegmentPath, by: By, services: From) -> PreviewShown:
    """Count what a segment finds now."""
    segment = await services.segments.get(by.account_id, segment_id)
    return shown_preview(await services.segments.preview(by.account_id, segment.rule))
