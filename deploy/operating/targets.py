"""What an operator names: a site, a source or a campaign.

A site is named by its provider in the rule file (gmail), by its number as `todoku queue` shows it (site-12), or by a
domain whose mail it takes; a source by its name in the settings; a campaign by its id (cmp_…). Where a source and a
provider have the same name, `source:` or `site:` before it says which is meant.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from core import ids, sql
from core.errors import InvalidInput, NotFound
from deploy.operating import names

SQL = sql.load(__package__ or "", "targets.sql")

_NUMBERED = re.compile(r"site[- ](\d{1,9})", re.ASCII)
_DOMAIN = re.compile(r"[^\s@:]+\.[^\s@:.]+\.?")


@dataclass(frozen=True, slots=True)
class Site:
    """A destination."""

    site_id: int
    provider: str | None

    @property
    def name(self) -> str:
        """How it is shown, and can be named again."""
        return names.site(self.site_id, self.provider)


@dataclass(frozen=True, slots=True)
class Source:
    """A way out."""

    source_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign, with its newest run and that run's state; None while it is a draft."""

    account_id: UUID
    campaign_id: UUID
    run_id: UUID | None
    state: str | None

    @property
    def name(self) -> str:
        """Its id."""
        return ids.encode("cmp", self.campaign_id)


Target = Site | Source | Campaign

UNKNOWN = "There is no source, provider or site of this name; `todoku top` and `todoku queue` show them"

ResolveSite = Callable[[str], Awaitable[Site]]
"""Finds the site of a name that the database does not know: a domain, or a provider new to it. Raises NotFound."""


async def unresolved(_name: str) -> Site:
    """Look no further."""
    raise NotFound(UNKNOWN)


def is_domain(text: str) -> bool:
    """Whether a text may be a domain: no address, at least two labels."""
    return _DOMAIN.fullmatch(text) is not None


async def find(main: asyncpg.Pool, text: str, resolve_site: ResolveSite = unresolved) -> Target:
    """Return what `text` names; raise NotFound, or InvalidInput where it may be two things."""
    if text.startswith("cmp_"):
        return await find_campaign(main, text)
    kind, colon, rest = text.partition(":")
    said = kind if colon and kind in {"source", "site"} else ""
    name = rest if said else text
    if said != "source" and (numbered := _NUMBERED.fullmatch(name)):
        return await _site(main, int(numbered[1]))
    found = await _named(main, name)
    chosen = [one for one in found if not said or isinstance(one, Source) == (said == "source")]
    if len(chosen) > 1:
        raise InvalidInput(f"A source and a site are called so: say source:{name} or site:{name}")
    if chosen:
        return chosen[0]
    return await (unresolved if said == "source" else resolve_site)(name)


async def find_site(main: asyncpg.Pool, text: str, resolve_site: ResolveSite = unresolved) -> Site:
    """Return the site that `text` names; raise NotFound."""
    found = await find(main, text if text.startswith("site:") else f"site:{text}", resolve_site)
    if not isinstance(found, Site):
        raise NotFound(UNKNOWN)
    return found


async def find_campaign(main: asyncpg.Pool, text: str) -> Campaign:
    """Return the campaign whose id is `text`, of whatever account; raise NotFound."""
    row = await main.fetchrow(SQL["campaign"], ids.decode("cmp", text))
    if row is None:
        raise NotFound("There is no such campaign")
    return Campaign(**row)


async def _site(main: asyncpg.Pool, site_id: int) -> Site:
    row = await main.fetchrow(SQL["site"], site_id)
    if row is None:
        raise NotFound("There is no site of this number; `todoku queue` shows them")
    return Site(**row)


async def _named(main: asyncpg.Pool, name: str) -> list[Site | Source]:
    found: list[Site | Source] = [
        Site(row["site_id"], row["provider"]) if row["name"] is None else Source(row["source_id"], row["name"])
        for row in await main.fetch(SQL["named"], name)
    ]
    return [*found, Site(names.RELAYED, None)] if name == "relay" else found
