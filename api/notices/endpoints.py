"""/v1/notices: what happened by itself and somebody should know."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.auth import By, Requires
from api.notices.schemas import Notices, NoticeShown, shown
from api.pagination import Listed, cut
from api.route import Route
from api.services import From

router = APIRouter(prefix="/v1/notices", tags=["notices"], route_class=Route)


@router.get("", dependencies=[Requires("reports:read")])
async def list_notices(page: Annotated[Notices, Query()], by: By, services: From) -> Listed[NoticeShown]:
    """List the notices of the last 30 days, newest first; with `since`, those that came after one, oldest first."""
    if page.since is None:
        found = await services.notices.newest(by.account_id, before=page.after, limit=page.limit)
    else:
        found = await services.notices.following(by.account_id, page.after or page.since, limit=page.limit)
    return Listed(
        items=[shown(notice) for notice in found], next=cut(found, page, found[-1].event_id if found else None)
    )
