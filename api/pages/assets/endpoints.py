"""What pages load (the stylesheet, a logo), a page that shows every part of one, and whether the process is well."""

from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.pages.accounts import branding_of
from api.pages.page import STYLE_HASH, stylesheet
from api.pages.services import From
from core import ids
from core.errors import NotFound
from scheduler.branding import BrandingFields
from scheduler.branding.logo import media_type

router = APIRouter()

_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_NOT_KEPT = {"Cache-Control": "no-cache"}


@router.get("/style/{version}.css")
async def get_style(version: str, services: From) -> Response:
    """Return the stylesheet in an account's colours, to be kept for ever under the version that names it whole."""
    digest, account_id, revision = _read(version)
    if account_id is None:
        return Response(stylesheet(BrandingFields()), media_type="text/css", headers=_kept(digest == STYLE_HASH))
    branding = await services.branding.get(account_id)
    whole = digest == STYLE_HASH and revision == branding.revision
    return Response(stylesheet(branding.fields), media_type="text/css", headers=_kept(whole))


@router.get("/logo/{version}")
async def get_logo(version: str, services: From) -> Response:
    """Return an account's logo."""
    _, account_id, revision = _read(f"-{version}")
    if account_id is None:
        raise NotFound("There is no such logo")
    branding = await services.branding.get(account_id)
    if branding.fields.logo is None:
        raise NotFound("There is no logo")
    kind = media_type(branding.fields.logo)
    return Response(branding.fields.logo, media_type=kind, headers=_kept(revision == branding.revision))


@router.get("/preview/{account}")
async def preview(account: str, request: Request, services: From) -> Response:
    """Show every part that a page can have in an account's look."""
    branding = await branding_of(request, account)
    return services.pages.render(request, "preview.html", branding=branding)


@router.get("/healthz")
async def tell_health(services: From) -> Response:
    """Say that the process serves, and that it reaches the main database."""
    await services.branding.ping()
    return Response("ok\n", media_type="text/plain", headers={"Cache-Control": "no-store"})


def _kept(whole: bool) -> dict[str, str]:
    return _FOR_EVER if whole else _NOT_KEPT


def _read(version: str) -> tuple[str, UUID | None, int]:
    """Read `<digest>` or `<digest>-<account>-<revision>`."""
    digest, dash, rest = version.partition("-")
    account, _, revision = rest.partition("-")
    if not dash:
        return digest, None, 0
    return digest, ids.decode("acc", account), int(revision) if revision.isdigit() else 0
