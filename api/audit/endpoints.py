"""/v1/audit: who looked for members, took them out, erased them, or changed what opens them."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.audit.schemas import AuditPage, EntryShown, shown
from api.auth import By, Requires
from api.pagination import Listed, cut
from api.route import Route
from api.services import From

router = APIRouter(prefix="/v1/audit", tags=["audit"], route_class=Route)


@router.get("", dependencies=[Requires("audit:read")])
async def list_audit(page: Annotated[AuditPage, Query()], by: By, services: From) -> Listed[EntryShown]:
    """List what was done with members' data, newest first."""
    found = await services.audit.newest(by.account_id, before=page.after, action=page.action, limit=page.limit)
    return Listed(items=[shown(entry) for entry in found], next=cut(found, page, found[-1].audit_id if found else None))
