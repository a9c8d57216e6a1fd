"""The mailbox's HTTP application: the page for people and the feed for programs, behind the guard."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse

from core.errors import NotFound
from deploy.mailbox import downloads, feed, page
from deploy.mailbox.config import MailboxConfig
from deploy.mailbox.guard import LOOPBACK_NAMES, Guard
from deploy.mailbox.rendering import render
from deploy.mailbox.store import MailStore


def create_app(config: MailboxConfig, store: MailStore) -> Guard:
    """Return the ASGI application.

    Plain `def` routes read and parse in threads; what changes the store is `async` and so stays in the event loop.
    """
    app = FastAPI(openapi_url=None)
    app.state.store = store
    for router in (page.router, downloads.router, feed.router):
        app.include_router(router)

    @app.exception_handler(NotFound)
    async def show_lost(_: Request, error: NotFound) -> HTMLResponse:
        return render(store, "lost.html", status=HTTPStatus.NOT_FOUND, detail=error.detail)

    on_loopback = config.http_host in {"localhost", "::1"} or config.http_host.startswith("127.")
    return Guard(app, LOOPBACK_NAMES | {config.http_host} if on_loopback else None)
