"""Reads and changes an account's branding, and keeps what its forms have said."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

import asyncpg

from core import sql
from core.errors import Fault, InvalidInput, NotFound, StaleRevision
from scheduler.branding.fields import Branding, BrandingFields, Link, require_valid

SQL = sql.load(__package__ or "", "branding.sql")

UNCHANGED = 1
"""The revision of what was never changed."""


class BrandingStore:
    """By account; `main` is a pool of any role that may read branding."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def get(self, account_id: UUID) -> Branding:
        """Return an account's branding, the usual one if it never changed any. Raises NotFound."""
        row = await self._main.fetchrow(SQL["get"], account_id)
        if row is None:
            raise NotFound("There is no such account")
        return _branding(row)

    async def change(self, account_id: UUID, fields: BrandingFields, *, revision: int) -> Branding:
        """Replace the fields if they are still at `revision`. Raises InvalidInput with every fault, StaleRevision."""
        require_valid(fields)
        if fields.sender_id is not None and not await self._main.fetchval(SQL["knows"], account_id, fields.sender_id):
            fault = Fault("/sender", "unknown", "There is no such sender")
            raise InvalidInput("The branding can't be kept so", [fault])
        changed = await self._main.fetchval(
            SQL["change"],
            account_id,
            revision,
            fields.name,
            fields.language,
            fields.accent,
            fields.accent_dark,
            fields.logo,
            fields.postal_address,
            fields.contact,
            [asdict(link) for link in fields.links],
            fields.texts,
            fields.sender_id,
            fields.signup_open,
        )
        if changed is None:
            raise StaleRevision("The branding was changed since it was read")
        return await self.get(account_id)

    async def ping(self) -> None:
        """Ask for an answer; raises what a database that is away raises."""
        await self._main.fetchval(SQL["ping"])

    async def keep_wording(self, account_id: UUID, version: str, content: Mapping[str, Any]) -> None:
        """Keep what a form said under its version, for who asks later what was consented to. Idempotent."""
        await self._main.execute(SQL["keep_wording"], account_id, version, content)

    async def wording(self, account_id: UUID, version: str) -> Mapping[str, Any] | None:
        """Return what a form said under this version, None if none did."""
        found: Mapping[str, Any] | None = await self._main.fetchval(SQL["wording"], account_id, version)
        return found


def _branding(row: asyncpg.Record) -> Branding:
    if row["revision"] is None:
        return Branding(row["account_id"], row["account_name"], BrandingFields(), UNCHANGED)
    return Branding(
        row["account_id"],
        row["account_name"],
        BrandingFields(
            name=row["name"],
            language=row["language"],
            accent=row["accent"],
            accent_dark=row["accent_dark"],
            logo=row["logo"],
            postal_address=row["postal_address"],
            contact=row["contact"],
            links=tuple(Link(**link) for link in row["links"]),
            texts=row["texts"],
            sender_id=row["sender_id"],
            signup_open=row["signup_open"],
        ),
        row["revision"],
    )
