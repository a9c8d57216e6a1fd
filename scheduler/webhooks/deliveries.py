"""What is posted to webhooks: claimed for a post, settled by what came of it, listed, and posted again on request.

Failure model. A claim moves a delivery's next time past the longest post; who dies in between leaves it due again. So a
notice is posted at least once, and always under the same `webhook-id`, by which a receiver knows a second copy.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

import asyncpg

from core import sql
from scheduler.webhooks.signing import SecretName

SQL = sql.load(__package__ or "", "deliveries.sql")

DeliveryState = Literal["waiting", "sent", "dead"]
STATES: tuple[DeliveryState, ...] = get_args(DeliveryState)

LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Post:
    """A delivery to be posted now, by us: its `attempts`-th time. `secrets` sign, the newest first."""

    event_id: UUID
    webhook_id: UUID
    attempts: int
    kind: str
    subject_id: UUID
    payload: dict[str, Any]
    created_at: datetime
    url: str
    secrets: tuple[SecretName, ...]


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One notice for one webhook, and what the last post came to: a status of HTTP, or a word for why there is none."""

    event_id: UUID
    kind: str
    state: DeliveryState
    attempts: int
    status: int | None
    fault: str | None
    created_at: datetime
    settled_at: datetime | None
    next_at: datetime | None


class WebhookDeliveries:
    """The statements on deliveries."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def claim(self, busy: Collection[UUID], *, each: int, most: int) -> list[Post]:
        """Lease at most `most` due deliveries, `each` of one webhook, none of those that are `busy`."""
        rows = await self._main.fetch(SQL["claim"], list(busy), each, most, LEASE_SECONDS)
        return [_post(row) for row in rows]

    async def sent(self, post: Post, status: int) -> bool:
        """Note that it was taken; False if it was not ours any more."""
        return await self._settle("sent", post, status)

    async def failed(self, post: Post, *, status: int | None, fault: str, delay: float | None) -> bool:
        """Note that it was not, and try again in `delay` seconds, or never; False if it was not ours any more."""
        return await self._settle("failed", post, status, fault, delay)

    async def turn_off(self, webhook_id: UUID, reason: str) -> None:
        """Post to this webhook no more until a person turns it on; what waits goes on waiting."""
        await self._main.execute(SQL["turn_off"], webhook_id, reason)

    async def list(
        self,
        account_id: UUID,
        webhook_id: UUID,
        *,
        before: UUID | None = None,
        state: DeliveryState | None = None,
        limit: int = 50,
    ) -> Sequence[WebhookDelivery]:
        """Return at most `limit` deliveries, newest first, from the one that stands before `before`."""
        rows = await self._main.fetch(SQL["list"], webhook_id, account_id, before, state, limit)
        return [WebhookDelivery(**row) for row in rows]

    async def replay(
        self, webhook_id: UUID, *, notices: Collection[UUID] | None = None, since: datetime | None = None
    ) -> int:
        """Have these notices posted again, or all that were given up (told `since` then); return how many."""
        return len(await self._main.fetch(SQL["replay"], webhook_id, None if notices is None else list(notices), since))

    async def counts(self) -> tuple[int, int]:
        """Return how many deliveries wait, and how many are dead."""
        row = await self._main.fetchrow(SQL["counts"])
        return (row["waiting"], row["dead"]) if row else (0, 0)

    async def _settle(self, statement: str, post: Post, *rest: object) -> bool:
        done = await self._main.fetchval(SQL[statement], post.event_id, post.webhook_id, post.attempts, *rest)
        return done is not None


def _post(row: asyncpg.Record) -> Post:
    names = [SecretName(row["webhook_id"], row["key_version"], row["secret_version"])]
    if row["previous_secret_version"] is not None:
        names.append(SecretName(row["webhook_id"], row["previous_key_version"], row["previous_secret_version"]))
    return Post(
        row["event_id"],
        row["webhook_id"],
        row["attempts"],
        row["kind"],
        row["subject_id"],
        row["payload"],
        row["created_at"],
        row["url"],
        tuple(names),
    )
