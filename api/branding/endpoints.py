"""/v1/account/branding: what the account's own pages and letters look like and say."""

from dataclasses import replace

from fastapi import APIRouter, Response

from api import revisions
from api.auth import By, Requires
from api.branding.schemas import BrandingChange, BrandingShown, PreviewShown, shown
from api.pages.draft import drawn
from api.revisions import IfMatch
from api.route import Route
from api.services import From
from scheduler.branding.fields import require_valid

router = APIRouter(prefix="/v1/account/branding", tags=["account"], route_class=Route)


@router.get("", dependencies=[Requires("account:read")])
async def get_branding(response: Response, by: By, services: From) -> BrandingShown:
    """Read what the account's pages and letters look like and say."""
    branding = await services.branding.get(by.account_id)
    revisions.tag(response, branding.revision)
    return shown(branding, services.pages_url)


@router.post("/preview", dependencies=[Requires("account:read")])
async def preview_branding(body: BrandingChange, by: By, services: From) -> PreviewShown:
    """Draw pages as a change of the branding would have them, in each language, by day and by night; keep nothing."""
    present = await services.branding.get(by.account_id)
    fields = body.onto(present.fields)
    require_valid(fields)
    return PreviewShown(items=list(drawn(services.pages, replace(present, fields=fields))))


@router.patch("", dependencies=[Requires("account:write")])
async def change_branding(
    revision: IfMatch, body: BrandingChange, response: Response, by: By, services: From
) -> BrandingShown:
    """Change what the account's pages and letters look like and say. Letters made from now on have it."""
    present = await services.branding.get(by.account_id)
    changed = await services.branding.change(by.account_id, body.onto(present.fields), revision=revision)
    revisions.tag(response, changed.revision)
    return shown(changed, services.pages_url)
