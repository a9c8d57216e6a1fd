"""The way in to a member's own page: by a mailed link, or by a password."""

from fastapi import Request, Response

from api.pages.services import PageServices
from api.pages.sessions import home_of
from api.pages.stamps import FIELD
from scheduler.branding import Branding


def sign_in_page(
    request: Request, services: PageServices, branding: Branding, *, said: str | None = None, status: int = 200
) -> Response:
    """Return the page that asks who one is. `said`: `mailed` or `wrong`, what came of asking."""
    path = home_of(branding)
    return services.pages.render(
        request,
        "sign_in.html",
        branding=branding,
        status=status,
        said=said,
        path=path,
        stamp=(FIELD, services.stamps.make(path)),
    )
