"""From a recipient's domain to the line that its message waits in, and what the database remembers of it.

A route is looked for once a domain and kept as long as DNS says. Its site gets a number by a keyed digest, so that the
database tells sites apart and names none; the tags of its domains are remembered there too, so that whoever claims a
chunk later knows its sites without opening a member.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from uuid import UUID

from core import logs
from core.database import AWAY
from delivery.lines import RELAYED, Line
from delivery.pacing.sites import Sites
from delivery.replies.verdict import Reason, Verdict
from delivery.routing.errors import NoSuchDomain, NotResolved, NullMx
from delivery.routing.router import Router
from delivery.routing.routes import Route

NO_SUCH_DOMAIN = Verdict("failed", Reason.NO_SUCH_DOMAIN, suppress=True)
NONE_FOUND = Verdict("failed", Reason.NO_SUCH_DOMAIN)
"""From a resolver that has found nothing at all yet: it may be the resolver that is wrong, so nobody is suppressed."""

MAX_LINES = 20_000

log = logs.get()

Digest = Callable[[UUID, str], Awaitable[bytes]]
"""Digests a site's key, with the installation's own key: `(account_id, text) -> 16 bytes`."""


class Destinations:
    """One per worker with a direct source; without a router every message waits in the one line of the relays."""

    def __init__(self, router: Router | None, sites: Sites, digest: Digest) -> None:
        self.relayed = Line("", RELAYED)
        self.fated = Line("fated", RELAYED)
        """For messages that are settled without being sent: a relay's line, since nobody's connection is needed."""
        self._router = router
        self._sites = sites
        self._digest = digest
        self._lines: dict[str, Line] = {}
        self._at_site: dict[int, list[Line]] = {RELAYED: [self.relayed]}
        self._numbers: dict[str, int] = {}
        self._numbering = asyncio.Lock()
        self._site_of_tag: dict[int, int] = {}

    @property
    def sorts(self) -> bool:
        """Whether messages are told apart by destination."""
        return self._router is not None

    def at_site(self, site_id: int) -> Sequence[Line]:
        """Return the lines of a site."""
        return self._at_site.get(site_id, ())

    def known(self, domain: str) -> Line | Verdict | None:
        """Return where a domain's mail waits, its fate, or None if it has to be looked for."""
        if self._router is None:
            return self.relayed
        route = self._router.known(domain)
        if route is None:
            return None
        if isinstance(route, Route):
            number = self._numbers.get(route.site_key)
            return None if number is None else self._line(route, number)
        return self._no_such_domain()

    async def find(self, account_id: UUID, domain: str) -> Line | Verdict | None:
        """Look for a domain's route; None if DNS does not say at present."""
        if self._router is None:
            return self.relayed
        try:
            route = await self._router.route(domain)
        except (NoSuchDomain, NullMx):
            return self._no_such_domain()
        except NotResolved:
            return None
        return self._line(route, await self._number(account_id, route))

    def _no_such_domain(self) -> Verdict:
        return NO_SUCH_DOMAIN if self._lines else NONE_FOUND

    def _line(self, route: Route, site_id: int) -> Line:
        line = self._lines.get(route.key)
        if line is None:
            if len(self._lines) >= MAX_LINES:
                self._forget()
            line = self._lines[route.key] = Line(route.key, site_id, route.provider, route)
            self._at_site.setdefault(site_id, []).append(line)
        line.route = route  # hosts are shuffled anew each time that DNS is asked
        return line

    def _forget(self) -> None:
        """Let go of the lines that nothing waits in."""
        self._lines = {key: one for key, one in self._lines.items() if one.waiting}
        self._at_site = {RELAYED: [self.relayed]}
        for line in self._lines.values():
            self._at_site.setdefault(line.site_id, []).append(line)

    async def _number(self, account_id: UUID, route: Route) -> int:
        number = self._numbers.get(route.site_key)
        if number is None:
            async with self._numbering:
                digest = await self._digest(account_id, f"site {route.site_key}")
                number = self._numbers[route.site_key] = await self._sites.number(digest, route.provider)
        return number

    async def remember(self, tag: int, site_id: int) -> None:
        """Write down at which site a tag's domain was found; what can't be written now is found again."""
        if self._site_of_tag.get(tag) == site_id:
            return
        if len(self._site_of_tag) > 50 * MAX_LINES:
            self._site_of_tag.clear()
        self._site_of_tag[tag] = site_id
        try:
            await self._sites.remember({tag: site_id})
        except AWAY as error:
            log.warning("site_not_remembered", error=type(error).__name__)

    async def sites_of(self, tags: Sequence[int]) -> Mapping[int, int]:
        """Return the sites of tags, as far as any worker has found them."""
        unknown = {tag for tag in tags if tag not in self._site_of_tag}
        if unknown:
            self._site_of_tag.update(await self._sites.of_tags(list(unknown)))
        return {tag: self._site_of_tag[tag] for tag in tags if tag in self._site_of_tag}
