"""What the members' own pages know of a mail, and what they stop apart from its unsubscribe (unsubscribes.py).

A stop is in effect with the COMMIT that answers, and a later consent lifts it. For the role `todoku_pages`, which may
call narrow functions here and reads no table of mail. What is stopped here is carried into the vault by housekeeping.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound

SQL = sql.load(__package__ or "", "leaving.sql")

Why = Literal["too_many", "not_relevant", "never_asked", "hard_to_read", "other"]
WHYS: tuple[Why, ...] = get_args(Why)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A mail as a token of it names it: whose it was, in what kind of run, and the topic that it was about, if any."""

    run_id: UUID
    seq: int
    account_id: UUID
    member_id: UUID
    kind: str
    topic_id: UUID | None


class Leaving:
    """Stops by delivery or by member. `main` is a pool of a role that may call the functions."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def delivery(self, run_id: UUID, seq: int) -> Delivery:
        """Return what a token's content names; raise NotFound."""
        row = await self._main.fetchrow(SQL["delivery"], run_id, seq)
        if row is None:
            raise NotFound("There is no such delivery")
        return Delivery(run_id, seq, **row)

    async def say_why(self, run_id: UUID, seq: int, why: Why) -> None:
        """Count a reason for leaving, once for a mail."""
        await self._main.execute(SQL["say_why"], run_id, seq, why)

    async def stop(
        self, account_id: UUID, member_id: UUID, scopes: Collection[str], reason: Literal["unsubscribed", "erased"]
    ) -> Mapping[str, datetime]:
        """Stop a member's mail in these scopes from now on; return since when each is stopped. Idempotent."""
        if not scopes:
            return {}
        rows = await self._main.fetch(SQL["stop"], account_id, member_id, list(scopes), reason)
        return {row["scope"]: row["since"] for row in rows}

    async def standing(self, account_id: UUID, member_id: UUID) -> Mapping[str, datetime]:
        """Return since when the member has stopped mail, by the scopes in which that still holds."""
        rows = await self._main.fetch(SQL["stops"], account_id, member_id)
        held = [row for row in rows if row["reason"] == "unsubscribed" and row["lifted_at"] is None]
        return {row["scope"]: row["occurred_at"] for row in held}

    async def lift(self, account_id: UUID, member_id: UUID, scopes: Collection[str], consented_at: datetime) -> int:
        """Lift what the member did alone more than 5 s before `consented_at`; return how many stops it was."""
        lifted: int = await self._main.fetchval(SQL["lift"], account_id, member_id, list(scopes), consented_at)
        return lifted

    async def now(self) -> datetime:
        """Return the time by which stops are dated."""
        now: datetime = await self._main.fetchval(SQL["now"])
        return now
