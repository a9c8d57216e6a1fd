"""What a letter's link leads to, and the one answer that it is given."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from core import sql
from core.errors import NotFound
from scheduler.letters.asking import VALID, send_letters
from scheduler.letters.kinds import Kind

SQL = sql.load(__package__ or "", "store.sql")

Answer = Literal["accepted", "disowned"]
"""What its reader did: what it asks for, or said that it was not they who asked."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter that was sent. `expired` as the database's clock has it; `answered` is None until somebody answers."""

    letter_id: UUID
    account_id: UUID
    member_id: UUID
    kind: Kind
    language: str | None
    subject_id: UUID | None
    asked_at: datetime
    expired: bool
    answered: Answer | None


class LetterStore:
    """Opens letters by what their tokens name; `main` is a pool of the pages' or the application's role."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def opened(self, run_id: UUID, seq: int) -> Letter:
        """Return the letter of a delivery; raise NotFound if there is none."""
        row = await self._main.fetchrow(SQL["opened"], run_id, seq)
        if row is None:
            raise NotFound("There is no such letter")
        return Letter(**{**row, "kind": Kind(row["kind"])})

    async def ask(
        self,
        kind: Kind,
        account_id: UUID,
        letter_id: UUID,
        member_id: UUID,
        *,
        valid: timedelta = VALID,
        language: str | None = None,
        subject_id: UUID | None = None,
    ) -> None:
        """Ask for one letter, as `send_letters` does."""
        letters, languages = [(letter_id, member_id)], [language]
        await send_letters(
            self._main, kind, account_id, letters, valid=valid, languages=languages, subjects=[subject_id]
        )

    async def answer(self, letter_id: UUID, answer: Answer) -> Answer:
        """Note the answer, unless there is one: the first stands. Return the one that does."""
        found: Answer = await self._main.fetchval(SQL["answer"], letter_id, answer)
        return found

    async def use(self, letter_id: UUID, answer: Answer) -> bool:
        """Note the answer and return whether it is the first: a link that works once is used up by it."""
        row = await self._main.fetchrow(SQL["answer"], letter_id, answer)
        return bool(row and row["mine"])

    async def recent(self, account_id: UUID, member_id: UUID, kind: Kind, *, seconds: float) -> int:
        """Return how many letters of a kind a member was to get within the last `seconds`."""
        count: int = await self._main.fetchval(SQL["recent"], account_id, member_id, kind.value, seconds)
        return count
