"""What waits in the queue, where, and why: groups of chunks that have run, site and reason in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from core import ids, sql
from deploy.operating import names, spans

SQL = sql.load(__package__ or "", "waiting.sql")


@dataclass(frozen=True, slots=True)
class Group:
    """Chunks that wait for one reason. Spans in seconds: until the earliest is due, since the oldest waits untried.

    `why`: `sending` (a worker has it in hand), `new`, `rest` (handed on by a worker), `retry`, `site` (room there),
    `source` (a way out), `dns`.
    """

    run_id: UUID
    campaign_id: UUID | None
    kind: str
    state: str
    resumes_in: float | None
    site_id: int | None
    provider: str | None
    why: str
    chunks: int
    recipients: int
    due_in: float
    held_for: float | None

    @property
    def site(self) -> str:
        """Where it goes."""
        return names.site(self.site_id, self.provider)

    @property
    def held_by(self) -> str:
        """What holds its whole run, "" if nothing does."""
        if self.state == "running":
            return ""
        return self.state if self.resumes_in is None else f"{self.state}, {spans.shown(max(0.0, self.resumes_in))} left"

    def to_json(self) -> dict[str, Any]:
        """Return it for --json."""
        return {
            "campaign": self.campaign_id and ids.encode("cmp", self.campaign_id),
            "run": ids.encode("run", self.run_id),
            "kind": self.kind,
            "state": self.state,
            "resumes_in": self.resumes_in,
            "site": self.site_id,
            "provider": self.provider,
            "why": self.why,
            "chunks": self.chunks,
            "recipients": self.recipients,
            "due_in": self.due_in,
            "held_for": self.held_for,
        }


async def groups(main: asyncpg.Pool, *, campaign_id: UUID | None = None, site_id: int | None = None) -> Sequence[Group]:
    """Return what is not done, by run, the most recipients first; of one campaign or one site if they are named."""
    sites = None if site_id is None else [site_id]
    # A relay's door takes what is not sorted, too.
    unsorted = site_id == names.RELAYED
    return [Group(**row) for row in await main.fetch(SQL["groups"], campaign_id, sites, unsorted)]
