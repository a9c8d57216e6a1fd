"""/v1/account/branding: what the account's own pages and letters look like and say."""

from fastapi import APIRouter, Response

from api import revisions
from api.auth import By, Requires
from api.branding.schemas import BrandingChange, BrandingShown, shown
from api.revisions import IfMatch
from api.route import Route
from api.services import From

router = APIRouter(prefix="/v1/account/branding", tags=["account"], route_class=Route)


@router.get("", dependencies=[Requires("account:read")])
async def get_branding(response: Response, by: By, services: From) -> BrandingShown:
    """Read what the account's pages and letters look like and say."""
    branding = await services.branding.get(by.account_id)
    revisions.tag(response, branding.revision)
    return shown(branding, services.pages_url)


@router.patch("", dependencies=[Requires("account:write")])
async def change_branding(
    revision: IfMatch, body: BrandingChange, response: Response, by: By, services: From
) -> BrandingShown:
    """Change what the account's pages and letters look like and say. Letters made from now on have it."""
    present = await services.branding.get(by.account_id)
    changed = await services.branding.change(by.account_id, body.onto(present.fields), revision=revision)
    revisions.tag(response, changed.revision)
    return shown(changed, services.pages_url)
