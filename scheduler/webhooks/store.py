"""The webhooks of an account: made, read, changed, given a new secret, removed.

A secret is returned when it is made and never again: it is not stored (scheduler/webhooks/signing.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core import outbox, sql
from core.errors import Conflict, Fault, InvalidInput, NotFound, StaleRevision
from scheduler.webhooks import destination, signing
from scheduler.webhooks.signing import SecretName, WebhookKeys

SQL = sql.load(__package__ or "", "store.sql")

MOST = 20
"""Webhooks that one account may have."""
OVERLAP_SECONDS = 86_400.0
"""How long the former secret signs too."""


@dataclass(frozen=True, slots=True)
class WebhookFields:
    """What a person decides: where to, which kinds of notices (core/outbox.py), whether it is on."""

    url: str
    events: Sequence[str]
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook. `reason`: why it was turned off by itself, or None."""

    webhook_id: UUID
    fields: WebhookFields
    reason: str | None
    secret_name: SecretName
    revision: int
    created_at: datetime


class WebhookStore:
    """Keeps webhooks. `loopback`: a URL may lead to this machine, by plain http (a setting for trying things out)."""

    def __init__(
        self, main: asyncpg.Pool, keys: WebhookKeys, new_id: Callable[[], UUID], *, loopback: bool = False
    ) -> None:
        self._main = main
        self._keys = keys
        self._new_id = new_id
        self._loopback = loopback

    async def create(self, account_id: UUID, fields: WebhookFields) -> tuple[Webhook, str]:
        """Make a webhook; return it and its secret, `whsec_…`. Raises InvalidInput, Conflict past MOST of them."""
        self._require_valid(fields)
        values = (self._new_id(), account_id, fields.url, list(fields.events), fields.enabled, self._keys.primary)
        async with self._main.acquire() as connection, connection.transaction():
            await connection.execute(SQL["lock_account"], account_id)
            row = await connection.fetchrow(SQL["create"], *values, MOST)
        if row is None:
            raise Conflict(f"An account has {MOST} webhooks at the most")
        return self._with_secret(row)

    async def get(self, account_id: UUID, webhook_id: UUID) -> Webhook:
        """Return a webhook. Raises NotFound."""
        row = await self._main.fetchrow(SQL["get"], account_id, webhook_id)
        if row is None:
            raise NotFound("There is no such webhook")
        return _webhook(row)

    async def list(self, account_id: UUID, *, after: UUID | None = None, limit: int = 50) -> Sequence[Webhook]:
        """Return at most `limit` webhooks, oldest first, from the one behind `after`."""
        return [_webhook(row) for row in await self._main.fetch(SQL["list"], account_id, after, limit)]

    async def change(self, account_id: UUID, webhook_id: UUID, revision: int, fields: WebhookFields) -> Webhook:
        """Replace its fields if it is still at `revision`. Raises InvalidInput, NotFound, StaleRevision."""
        self._require_valid(fields)
        row = await self._main.fetchrow(
            SQL["change"], account_id, webhook_id, revision, fields.url, list(fields.events), fields.enabled
        )
        if row is None:
            await self.get(account_id, webhook_id)
            raise StaleRevision("The webhook was changed since it was read")
        return _webhook(row)

    async def rotate(self, account_id: UUID, webhook_id: UUID) -> tuple[Webhook, str]:
        """Give it a new secret and return that; the former one signs for a day more. Raises NotFound."""
        row = await self._main.fetchrow(SQL["rotate"], account_id, webhook_id, self._keys.primary, OVERLAP_SECONDS)
        if row is None:
            raise NotFound("There is no such webhook")
        return self._with_secret(row)

    async def remove(self, account_id: UUID, webhook_id: UUID) -> None:
        """Remove a webhook and the record of its posts. Raises NotFound."""
        if await self._main.fetchval(SQL["remove"], account_id, webhook_id) is None:
            raise NotFound("There is no such webhook")

    def _with_secret(self, row: asyncpg.Record) -> tuple[Webhook, str]:
        made = _webhook(row)
        return made, signing.shown(self._keys.secret(made.secret_name))

    def _require_valid(self, fields: WebhookFields) -> None:
        faults: list[Fault] = []
        try:
            destination.parse(fields.url, loopback=self._loopback)
        except InvalidInput as error:
            faults += error.faults
        known = ", ".join(outbox.KINDS)
        if not fields.events:
            faults.append(Fault("/events", "empty", f"Name at least one of: {known}"))
        faults += [
            Fault(f"/events/{place}", "unknown-event", f"There are: {known}")
            for place, event in enumerate(fields.events)
            if event not in outbox.KINDS
        ]
        if faults:
            raise InvalidInput("The webhook can't be set up so", faults)


def _webhook(row: asyncpg.Record) -> Webhook:
    return Webhook(
        row["webhook_id"],
        WebhookFields(row["url"], tuple(row["events"]), row["enabled"]),
        row["reason"],
        SecretName(row["webhook_id"], row["key_version"], row["secret_version"]),
        row["revision"],
        row["created_at"],
    )
