"""Restrictions in force, as operators read them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from deploy.operating import names, spans

SQL = sql.load(__package__ or "", "restrictions.sql")


@dataclass(frozen=True, slots=True)
class Imposed:
    """A restriction of a source, a site or the two together. `connections` 0: nothing is sent; `ends_in` in seconds."""

    source_id: int | None
    source: str | None
    site_id: int | None
    provider: str | None
    connections: int | None
    rate: float | None
    reason: str
    imposed_by: str
    ends_at: datetime
    ends_in: float

    @property
    def where(self) -> str:
        """What is restricted."""
        if self.site_id is None:
            return f"{self.source}"
        site = names.site(self.site_id, self.provider)
        return site if self.source is None else f"{self.source} to {site}"

    @property
    def what(self) -> str:
        """What is left of it, and for how long."""
        if self.connections == 0:
            left = "suspended"
        else:
            rate = [] if self.rate is None else [f"{self.rate:g}/s"]
            plural = "" if self.connections == 1 else "s"
            connections = [] if self.connections is None else [f"{self.connections} connection{plural}"]
            left = f"slowed to {', '.join([*connections, *rate])}"
        return f"{left} for {spans.shown(self.ends_in)}"

    @property
    def why(self) -> str:
        """Who imposed it, and the reason."""
        return self.reason if self.reason.startswith(self.imposed_by) else f"{self.imposed_by}: {self.reason}"

    def concerns(self, source_id: int | None, site_id: int | None) -> bool:
        """Whether it bounds mail of this source to this site; None stands for any."""
        return (self.source_id is None or source_id is None or self.source_id == source_id) and (
            self.site_id is None or site_id is None or self.site_id == site_id
        )

    def to_json(self) -> dict[str, Any]:
        """Return it for --json."""
        return {
            "source": self.source,
            "site": self.site_id,
            "provider": self.provider,
            "connections": self.connections,
            "rate": self.rate,
            "reason": self.reason,
            "imposed_by": self.imposed_by,
            "ends_at": self.ends_at.isoformat(),
        }


async def in_force(main: asyncpg.Pool | PoolConnectionProxy) -> list[Imposed]:
    """Return what holds now, suspensions first, then by their end; at most 1,000."""
    return [Imposed(**row) for row in await main.fetch(SQL["in_force"])]
