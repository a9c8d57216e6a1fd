"""Where the links of a run lead: read once from its frozen content, then kept, bounded.

Frozen content never changes, so what is kept never becomes wrong. While Postgres is away, runs that are kept still
redirect; for others `Unavailable` is raised.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import quote, urlsplit
from uuid import UUID

import asyncpg

from core import sql
from core.database import AWAY
from core.errors import NotFound, Unavailable
from core.tokens import PERSONAL

SQL = sql.load(__package__ or "", "links.sql")

_READ_SECONDS = 5.0
# All that RFC 3986 lets stand as it is; what is percent-encoded already stays so.
_SAFE = "%:/?#[]@!$&'()*+,;=~-._"
_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True)
class RunLinks:
    """A run's account, and the targets of its links by number, each fit for a Location header.

    `goes_on`: the numbers of those that end with what is sealed in a mail.
    """

    account_id: UUID
    targets: tuple[str, ...]
    goes_on: frozenset[int]

    def target(self, number: int, personal: str) -> str:
        """Return where link `number` leads; raise NotFound if the run has no such link.

        `personal` is the target's end where the link has one of its reader's own. The host was never part of it.
        """
        if not 0 <= number < len(self.targets) or not self.targets[number]:
            raise NotFound("No such link")
        if personal and number not in self.goes_on:
            raise NotFound("No such link")
        return self.targets[number] + quote(personal, safe=_SAFE)


class Links:
    """Reads links by run; keeps those of the `keep` runs asked for last."""

    def __init__(self, main: asyncpg.Pool, *, keep: int = 512) -> None:
        self._main = main
        self._keep = keep
        self._kept: OrderedDict[UUID, RunLinks] = OrderedDict()

    def kept(self, run_id: UUID) -> RunLinks | None:
        """Return a run's links if they are kept."""
        kept = self._kept.get(run_id)
        if kept is not None:
            self._kept.move_to_end(run_id)
        return kept

    async def of(self, run_id: UUID) -> RunLinks:
        """Return a run's links; raise NotFound for a run that is not there, Unavailable while Postgres is away."""
        kept = self.kept(run_id)
        if kept is not None:
            return kept
        try:
            async with asyncio.timeout(_READ_SECONDS):
                row = await self._main.fetchrow(SQL["links_of_run"], run_id)
        except AWAY as error:
            raise Unavailable("The links can't be read just now") from error
        if row is None:
            raise NotFound("No such run")
        urls: list[str] = row["links"]
        links = RunLinks(
            row["account_id"],
            tuple(location(url.removesuffix(PERSONAL)) for url in urls),
            frozenset(number for number, url in enumerate(urls) if url.endswith(PERSONAL)),
        )
        self._kept[run_id] = links
        if len(self._kept) > self._keep:
            self._kept.popitem(last=False)
        return links


def location(url: str) -> str:
    """Return `url` as ASCII for a Location header (RFC 9110 section 10.2.2), or "" if it isn't plain http(s).

    A host in other letters is written in its ASCII form (IDNA), everything else is percent-encoded (RFC 3987 section
    3.1), line breaks too.
    """
    try:
        parts = urlsplit(url)
        if not parts.netloc.isascii():
            host = parts.netloc.rpartition("@")[2].partition(":")[0]
            netloc = parts.netloc.replace(host, host.encode("idna").decode())
            url = parts._replace(netloc=netloc).geturl()
    except ValueError:
        return ""
    return quote(url, safe=_SAFE) if parts.scheme in _SCHEMES and parts.netloc else ""
