"""/v1/events: opens, clicks and whatever else comes back, one by one, to be followed with a cursor."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from api.auth import By, Requires
from api.events.schemas import EventsAsked, EventsShown, shown
from api.files import JSON_LINES
from api.route import Route
from api.services import From
from core import ids

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=Route)


@router.get("", response_model=EventsShown, dependencies=[Requires("events:read")])
async def list_events(
    asked: Annotated[EventsAsked, Query()], request: Request, by: By, services: From
) -> EventsShown | Response:
    """Follow what came back, in the order in which it was stored, from a cursor on; as JSON or as JSON Lines."""
    page = await services.events.read(by.account_id, after=asked.after, kind=asked.kind, limit=asked.limit)
    items = [shown(event) for event in page.events]
    following = ids.encode("cur", UUID(int=page.position))
    if asked.format == "json":
        return EventsShown(items=items, next=following, up_to_date=page.up_to_date)
    query = urlencode({**asked.model_dump(exclude_none=True), "cursor": following})
    return Response(
        "".join(f"{item.model_dump_json()}\n" for item in items),
        media_type=JSON_LINES,
        headers={"Link": f'<{request.url.path}?{query}>; rel="next"'},
    )
