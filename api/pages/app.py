"""Puts the pages together: every concern's routes, what every request needs, one look for errors."""

from collections.abc import Mapping

from fastapi import FastAPI

from api.pages import refusals
from api.pages.assets.endpoints import router as assets
from api.pages.confirmation.pages import ConfirmationPages
from api.pages.guard import Guard
from api.pages.letters.endpoints import LetterPages, letter_router
from api.pages.moving.pages import MovingPages
from api.pages.my_page.endpoints import router as my_page
from api.pages.preferences.endpoints import router as preferences
from api.pages.privacy.endpoints import router as privacy
from api.pages.privacy.erasing import ErasingPages
from api.pages.privacy.erasing import router as erasing
from api.pages.services import PageServices
from api.pages.sessions import SignInFirst, on_sign_in_first
from api.pages.sign_in.endpoints import router as sign_in
from api.pages.sign_in.letters import EnteringPages
from api.pages.signup.endpoints import SEND_FORM
from api.pages.signup.endpoints import router as signup
from api.pages.signup.programs import router as programs
from api.pages.unsubscribe.endpoints import LEAVE
from api.pages.unsubscribe.endpoints import router as unsubscribe
from api.pages.web_version.endpoints import router as web_version
from scheduler.letters import Kind

LETTERS: Mapping[Kind, LetterPages] = {
    Kind.CONFIRM: ConfirmationPages(),
    Kind.ERASE: ErasingPages(),
    **dict.fromkeys((Kind.CONFIRM_NEW_ADDRESS, Kind.ADDRESS_CHANGING), MovingPages()),
    **dict.fromkeys((Kind.SIGN_IN, Kind.ALREADY_MEMBER, Kind.FAILED_LOG_INS, Kind.PASSWORD_CHANGED), EnteringPages()),
}
"""What the link of each kind of letter leads to."""

PLAIN = (LEAVE, SEND_FORM)
"""What very many ask for at once."""

ROUTERS = (
    unsubscribe,
    signup,
    assets,
    programs,
    letter_router(LETTERS),
    preferences,
    sign_in,
    my_page,
    privacy,
    erasing,
    web_version,
)
"""Routes are tried one after another: first what many ask for at once."""


def create_app(services: PageServices) -> FastAPI:
    """Return the ASGI application."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services = services
    app.router.routes.extend(PLAIN)
    for router in ROUTERS:
        app.include_router(router)
    for kind in refusals.KINDS:
        app.add_exception_handler(kind, refusals.on_error)
    app.add_exception_handler(SignInFirst, on_sign_in_first)
    app.add_middleware(Guard, clock=services.clock)
    return app
