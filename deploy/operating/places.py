"""Which site takes a domain's mail, and the number that it goes by: DNS, the rule file, and the vault's key.

The database tells sites apart by keyed digests alone, so that a number can only be had where the key file is.
"""

import asyncpg

from core import sql
from core.clock import Clock
from core.errors import ConfigurationError, NotFound
from core.settings import Settings
from delivery import shaping
from delivery.pacing.sites import Sites
from delivery.routing.routes import Route
from delivery.ways_out import router_of
from deploy import databases
from deploy.kek import open_kek
from deploy.operating.targets import UNKNOWN, Site, is_domain
from members.keyring import KeyRings
from members.vault import Vault

SQL = sql.load(__package__ or "", "places.sql")


class Places:
    """Looks for sites. Raises ConfigurationError where the rule file, the key or the member database can't be had."""

    def __init__(self, settings: Settings, main: asyncpg.Pool, clock: Clock) -> None:
        self._settings = settings
        self._main = main
        self.shaping = shaping.load(settings.shaping_file)
        self._router = router_of(settings, self.shaping, clock)

    async def route(self, domain: str) -> Route:
        """Return the route of a domain as DNS has it now. Raises NoSuchDomain, NullMx, NotResolved."""
        return await self._router.route(domain)

    async def number(self, route: Route) -> int | None:
        """Return the number of a route's site, None if nothing was ever sent there."""
        row = await self._main.fetchrow(SQL["site"], await self._digest(route.site_key))
        return None if row is None else int(row["site_id"])

    async def find(self, name: str) -> Site:
        """Return the site that takes a domain's mail, or a provider's; raise NotFound if nothing was sent there yet."""
        route = await self._named(name)
        number = await self.number(route)
        if number is None:
            raise NotFound("Nothing was sent to this site yet")
        return Site(number, route.provider)

    async def find_or_number(self, name: str) -> Site:
        """Return the site that takes a domain's mail, or a provider's; one that is new is given its number."""
        route = await self._named(name)
        digest = await self._digest(route.site_key)
        return Site(await Sites(self._main).number(digest, route.provider), route.provider)

    async def _named(self, name: str) -> Route:
        if name in self.shaping.providers:
            return Route("", (), name)
        if is_domain(name):
            return await self.route(name)
        raise NotFound(UNKNOWN)

    async def _digest(self, site_key: str) -> bytes:
        account_id = await self._main.fetchval(SQL["an_account"])
        if account_id is None:
            raise ConfigurationError("There is no account yet, and so no key")
        kek = await open_kek(self._settings)
        async with databases.reached(self._settings, "members", process="route") as members:
            return await Vault(members, KeyRings(members, kek)).destination_digest(account_id, f"site {site_key}")
