"""Puts the pages together: every concern's routes, what every request needs, one look for errors."""

from fastapi import FastAPI

from api.pages import refusals
from api.pages.assets.endpoints import router as assets
from api.pages.guard import Guard
from api.pages.services import PageServices

ROUTERS = (assets,)


def create_app(services: PageServices) -> FastAPI:
    """Return the ASGI application."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router)
    for kind in refusals.KINDS:
        app.add_exception_handler(kind, refusals.on_error)
    app.add_middleware(Guard, clock=services.clock)
    return app
