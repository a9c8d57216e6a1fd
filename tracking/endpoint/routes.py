"""The tracker's routes: what a mail's links and a reader's button lead to.

    GET  /o/{token}   the pixel; an open
    GET  /c/{token}   a click, then on to the link of the run's frozen content, with what is sealed behind the token
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
from collections.abc import Callable, Collection, Mapping

from core import logs
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
from tracking.endpoint.answer import Answer
from tracking.endpoint.hosts import KnownHosts
from tracking.endpoint.request import Request
from tracking.endpoint.wording import Language, language
from tracking.event import Event, Kind
from tracking.intake import Intake
from tracking.links import Links, RunLinks
from tracking.machines.rules import Agent, Rules

log = logs.get()

_STATUS: Mapping[type[BaseException], int] = {Tampered: 404, NotFound: 404, Unavailable: 503}

_READ = ("GET", "HEAD")
_ALLOWED: Mapping[str, tuple[str, ...]] = {
    "/o/": _READ,
    "/c/": _READ,
    "/u/": (*_READ, "POST"),
    "/p/": _READ,
    "/w/": _READ,
    "/healthz": _READ,
}

_Later = Answer | asyncio.Future[Answer]


class Tracker:
    """Answers requests; `intake` must be entered for as long as it does.

    `pages_url` has no slash at its end. `hosts`: the names to answer under; any, if there are none.
    """

    def __init__(
        self,
        intake: Intake,
        links: Links,
        signer: LinkSigner,
        rules: Rules,
        pages_url: str,
        hosts: Collection[str] = (),
    ) -> None:
        self._intake = intake
        self._links = links
        self._signer = signer
        self._rules = rules
        self._pages_url = pages_url
        self._hosts = KnownHosts(hosts)
        self._routes: Mapping[str, Callable[[Request, str], _Later]] = {
            "/o/": self._show_pixel,
            "/c/": self._follow_link,
            "/u/": self._unsubscribe,
            "/p/": self._show_choices,
            "/w/": self._show_mail,
        }
        self._looking_up: set[asyncio.Task[Answer]] = set()

    def answer(self, request: Request) -> _Later:
        """Answer a request, now or once what it says is kept."""
        if not self._hosts.include(request):
            return answers.MISDIRECTED
        path = request.path
        route = path[:3] if path[:3] in self._routes else path
        allowed = _ALLOWED.get(route)
        if allowed is None:
            return self.explain(404, request)
        if request.method not in allowed:
            return answers.error_page(405, _language(request), {"allow": ", ".join(allowed)})
        try:
            return self._routes[route](request, path[3:]) if route in self._routes else self._tell_health()
        except Exception as error:  # noqa: BLE001 - whatever it was, the reader gets an answer
            return self.explain(error, request)

    def explain(self, error: BaseException | int, request: Request) -> Answer:
        """Return the page for an error or a status."""
        if not isinstance(error, int | TodokuError):
            log.error("answer_failed", error=type(error).__name__)
        status = error if isinstance(error, int) else _STATUS.get(type(error), 500)
        return answers.error_page(status, _language(request))

    def _show_pixel(self, request: Request, token: str) -> _Later:
        delivery = self._opened(token, SLOT_OPEN)
        return self._counted(request, delivery, "open", answers.PIXEL)

    def _follow_link(self, request: Request, token: str) -> _Later:
        delivery, personal = self._signer.open_link(token)
        if delivery.slot == SLOT_HONEYPOT and not personal:
            return self._counted(request, delivery, "honeypot", answers.NOTHING)
        if delivery.slot < SLOT_LINK:
            raise Tampered
        known = self._links.kept(delivery.run_id)
        if known is not None:
            return self._to_target(request, delivery, personal, known)
        task = asyncio.get_running_loop().create_task(self._look_up(request, delivery, personal))
        self._looking_up.add(task)
        task.add_done_callback(self._looking_up.discard)
        return task

    async def _look_up(self, request: Request, delivery: TokenContent, personal: str) -> Answer:
        answer = self._to_target(request, delivery, personal, await self._links.of(delivery.run_id))
        return answer if isinstance(answer, Answer) else await answer

    def _to_target(self, request: Request, delivery: TokenContent, personal: str, links: RunLinks) -> _Later:
        number = delivery.slot - SLOT_LINK
        answer = answers.redirect(links.target(number, personal))
        return self._counted(request, delivery, "click", answer, number)

    def _unsubscribe(self, request: Request, token: str) -> _Later:
        delivery = self._opened(token, SLOT_UNSUBSCRIBE)
        if request.method != "POST":
            return self._to_pages(request)
        # Whoever it is: a mail program's button and a machine's POST look alike, and none may be refused.
        agent = self._rules.agent(request.header(b"user-agent"))
        return self._intake.record(Event(delivery.run_id, delivery.seq, "unsubscribe", agent), answers.UNSUBSCRIBED)

    def _show_choices(self, request: Request, token: str) -> _Later:
        self._opened(token, SLOT_PREFERENCES)
        return self._to_pages(request)

    def _show_mail(self, request: Request, token: str) -> _Later:
        self._opened(token, SLOT_WEB)
        return self._to_pages(request)

    def _tell_health(self) -> Answer:
        return answers.HEALTHY if self._intake.alive else answers.UNHEALTHY

    def _to_pages(self, request: Request) -> Answer:
        """Send a reader to the same path of the members' own pages; the token in it is authentic, so ours."""
        return answers.redirect(self._pages_url + request.path, status=303)

    def _opened(self, token: str, slot: int) -> TokenContent:
        """Open a token; Tampered if it isn't ours or is for another slot."""
        content = self._signer.open(token)
        if content.slot != slot:
            raise Tampered
        return content

    def _counted(self, request: Request, delivery: TokenContent, kind: Kind, answer: Answer, *link: int) -> _Later:
        """Answer once it is kept that somebody asked, at once if the request counts nothing."""
        agent = self._asked_by(request)
        if agent is None:
            return answer
        return self._intake.record(Event(delivery.run_id, delivery.seq, kind, agent, *link), answer)

    def _asked_by(self, request: Request) -> Agent | None:
        """Return who asks, or None if the request counts nothing."""
        if request.method != "GET":
            return None
        agent = b""
        for name, value in request.headers:
            if name == b"user-agent":
                agent = value
            elif not self._rules.counts(name, value):
                return None
        return self._rules.agent(agent)


def _language(request: Request) -> Language:
    return language(request.header(b"accept-language").decode("latin-1"))
