"""A mail as a page of its own, by the link in it or on my page. Nothing done here is noted as an open or a click.

GET /w/{token}               the mail within a page
GET /w/{token}/mail          its HTML alone, as a document that may do nothing
GET /w/{token}/files/{n}     a file that went along

A mail may be forwarded, and its link with it: it shows no more than the mail did. Once anything about the member was
changed, it opens for who has signed in alone, since the values shown are those of now.
"""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from api.pages.deliveries import delivery_of, proof_of
from api.pages.language import locale_of
from api.pages.limits import Limit
from api.pages.page import POLICY
from api.pages.services import From, PageServices
from api.pages.sessions import home_of, signed_in
from api.pages.web_version.reading import Reading, read_mail
from core.errors import NotFound
from core.tokens import SLOT_PREFERENCES, SLOT_UNSUBSCRIBE, SLOT_WEB
from delivery.compose.bounds import MAX_ATTACHMENTS
from tracking.leaving import Delivery

router = APIRouter()

FRAMED: Mapping[str, str] = {"Content-Security-Policy": f"{POLICY}; frame-src 'self'"}
"""Of a page that shows a mail within it."""

MOST_READ = 240
"""How often an hour one member's mails may be shown."""

_SANDBOX = "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
_PICTURES = {False: "'self' data:", True: "'self' data: https: http:"}
_STRANGE: Mapping[str, str] = {
    # A page of this origin would keep a sandboxed document from opening at all, and its pictures from loading.
    "Cross-Origin-Opener-Policy": "unsafe-none",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-store",
}

Pictures = Annotated[bool, Query()]


@router.get("/w/{token}")
async def show(token: str, request: Request, services: From, *, pictures: Pictures = False) -> Response:
    """Show a mail within a page, or where to sign in to see it."""
    delivery, branding = await delivery_of(request, token, SLOT_WEB)
    reading, may_see = await _read(request, services, delivery)
    leave, choose = services.signer.mint(delivery.run_id, delivery.seq, [SLOT_UNSUBSCRIBE, SLOT_PREFERENCES])
    return services.pages.render(
        request,
        "web_version.html",
        branding=branding,
        member_locale=locale_of(reading.member),
        headers=FRAMED,
        reading=reading,
        may_see=may_see,
        pictures=pictures,
        home=home_of(branding),
        leave=f"/u/{leave}",
        choose=f"/p/{choose}",
    )


@router.get("/w/{token}/mail")
async def show_alone(token: str, request: Request, services: From, *, pictures: Pictures = False) -> Response:
    """Show a mail's HTML as it was written. `pictures`: those on other sites too, as the reader asked."""
    delivery, _ = await delivery_of(request, token, SLOT_WEB)
    reading, may_see = await _read(request, services, delivery)
    if not may_see or reading.shown is None or reading.shown.html is None:
        raise NotFound("There is no such page")
    policy = (
        f"{_SANDBOX}; default-src 'none'; style-src 'unsafe-inline'; img-src {_PICTURES[pictures]}; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'self'"
    )
    said = {**_STRANGE, "Content-Security-Policy": policy, "X-Frame-Options": "SAMEORIGIN"}
    return Response(reading.shown.html, media_type="text/html", headers=said)


@router.get("/w/{token}/files/{place}")
async def send_file(
    token: str, place: Annotated[int, Path(ge=0, lt=MAX_ATTACHMENTS)], request: Request, services: From
) -> Response:
    """Give out a file of a mail: the same for all its readers."""
    delivery, _ = await delivery_of(request, token, SLOT_WEB)
    file = await services.mails.file(delivery.run_id, delivery.seq, place)
    picture = file.content_type.startswith("image/")
    said = {**_STRANGE, "Content-Security-Policy": "sandbox; default-src 'none'"}
    if not picture:
        said["Content-Disposition"] = "attachment"
    return Response(file.content, media_type=file.content_type if picture else "application/octet-stream", headers=said)


async def _read(request: Request, services: PageServices, delivery: Delivery) -> tuple[Reading, bool]:
    """Return a delivery's mail, and whether it may be shown to who asks."""
    await services.limits.count([Limit("web version", str(delivery.member_id), MOST_READ, 3_600)])
    reading = await read_mail(services, proof_of(delivery), delivery.run_id)
    if not reading.changed:
        return reading, True
    _, signed = await signed_in(request, delivery.account_id)
    return reading, signed is not None and signed.proof == proof_of(delivery)
