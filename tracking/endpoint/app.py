"""The tracker's routes: what a mail's links and a reader's button lead to.

    GET  /o/{token}   the pixel; an open
    GET  /c/{token}   a click, then on to the link stored with the run's frozen content
    GET  /u/{token}   on to the members' own page about leaving; changes nothing
    POST /u/{token}   one-click unsubscribe (RFC 8058)
    GET  /p/{token}   on to the members' own page about choices; changes nothing
    GET  /w/{token}   on to the mail as a page; counts nothing
    GET  /healthz     whether events are taken in

A token is good for the slot that it was minted for and no other. HEAD counts nothing, nor does what a browser fetches
unasked (machines/rules.toml). Whoever follows the link that no reader sees is sent nowhere. An answer that says that
something happened is sent once it is kept: committed, or in the spool while Postgres is away. What can't be kept
answers 503, and so does a link whose run isn't known while Postgres is away.
"""

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from core.errors import NotFound, Tampered, TodokuError, Unavailable
from core.tokens import (
    SLOT_HONEYPOT,
    SLOT_LINK,
    SLOT_OPEN,
    SLOT_PREFERENCES,
    SLOT_UNSUBSCRIBE,
    SLOT_WEB,
    LinkSigner,
    TokenContent,
)
from tracking.endpoint import answers
from tracking.endpoint.wording import Language, language
from tracking.event import Event
from tracking.intake import Intake
from tracking.links import Links
from tracking.machines.rules import Agent, Rules

MAX_BODY = 4_096
BODY_SECONDS = 10.0

_STATUS: dict[type[Exception], int] = {Tampered: 404, NotFound: 404, Unavailable: 503}


def create_app(intake: Intake, links: Links, signer: LinkSigner, rules: Rules, pages_url: str) -> Starlette:
    """Build the app; `intake` must be entered for as long as it serves. `pages_url` has no slash at its end."""
    tracker = _Tracker(intake, links, signer, rules, pages_url)
    app = Starlette(
        routes=[
            Route("/o/{token}", tracker.show_pixel, methods=["GET"]),
            Route("/c/{token}", tracker.follow_link, methods=["GET"]),
            Route("/u/{token}", tracker.unsubscribe, methods=["GET", "POST"]),
            Route("/p/{token}", tracker.show_choices, methods=["GET"]),
            Route("/w/{token}", tracker.show_mail, methods=["GET"]),
            Route("/healthz", tracker.tell_health, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _show_refusal, TodokuError: _show_error, Exception: _show_error},
    )
    app.router.redirect_slashes = False
    return app


class _Tracker:
    def __init__(self, intake: Intake, links: Links, signer: LinkSigner, rules: Rules, pages_url: str) -> None:
        self._intake = intake
        self._links = links
        self._signer = signer
        self._rules = rules
        self._pages_url = pages_url

    async def show_pixel(self, request: Request) -> Response:
        delivery = self._opened(request, SLOT_OPEN)
        agent = self._asked_by(request)
        if agent is not None:
            await self._intake.record(Event(delivery.run_id, delivery.seq, "open", agent))
        return answers.PIXEL

    async def follow_link(self, request: Request) -> Response:
        delivery = self._opened(request)
        agent = self._asked_by(request)
        if delivery.slot == SLOT_HONEYPOT:
            if agent is not None:
                await self._intake.record(Event(delivery.run_id, delivery.seq, "honeypot", agent))
            return answers.NOTHING
        number = delivery.slot - SLOT_LINK
        target = (await self._links.of(delivery.run_id)).target(number)
        if agent is not None:
            await self._intake.record(Event(delivery.run_id, delivery.seq, "click", agent, number))
        return answers.redirect(target)

    async def unsubscribe(self, request: Request) -> Response:
        delivery = self._opened(request, SLOT_UNSUBSCRIBE)
        if request.method != "POST":
            return self._to_pages(request)
        await _drain_body(request)
        # Whoever it is: a mail program's button and a machine's POST look alike, and none may be refused.
        agent = self._rules.agent(request.headers.get("user-agent", "").encode("latin-1"))
        await self._intake.record(Event(delivery.run_id, delivery.seq, "unsubscribe", agent))
        return answers.UNSUBSCRIBED

    async def show_choices(self, request: Request) -> Response:
        self._opened(request, SLOT_PREFERENCES)
        return self._to_pages(request)

    async def show_mail(self, request: Request) -> Response:
        self._opened(request, SLOT_WEB)
        return self._to_pages(request)

    async def tell_health(self, _: Request) -> Response:
        return answers.HEALTHY if self._intake.alive else answers.UNHEALTHY

    def _to_pages(self, request: Request) -> Response:
        """Send a reader to the same path of the members' own pages; the token in it is authentic, so ours."""
        return answers.redirect(self._pages_url + request.url.path, status=303)

    def _opened(self, request: Request, slot: int | None = None) -> TokenContent:
        """Open the path's token; Tampered if it isn't ours or not one for `slot` (None: a link, the hidden one too)."""
        content = self._signer.open(request.path_params["token"])
        if content.slot != slot if slot is not None else SLOT_HONEYPOT != content.slot < SLOT_LINK:
            raise Tampered
        return content

    def _asked_by(self, request: Request) -> Agent | None:
        """Return who asks, or None if the request counts nothing."""
        if request.method != "GET":
            return None
        agent = b""
        for name, value in request.scope["headers"]:
            if name == b"user-agent":
                agent = value
            elif not self._rules.counts(name, value):
                return None
        return self._rules.agent(agent)


async def _drain_body(request: Request) -> None:
    """Read a body to its end, whatever its type: a POST to this URL can mean only one thing (RFC 8058 section 3.1)."""
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > MAX_BODY:
                    raise HTTPException(413)
    except TimeoutError as error:
        raise HTTPException(408) from error
    except ClientDisconnect as error:
        raise HTTPException(400) from error


def _language(request: Request) -> Language:
    return language(request.headers.get("accept-language", ""))


async def _show_refusal(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return answers.error_page(error.status_code, _language(request), error.headers)


async def _show_error(request: Request, error: Exception) -> Response:
    return answers.error_page(_STATUS.get(type(error), 500), _language(request))
