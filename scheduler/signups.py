"""Sign-ups between the two databases: forms that were taken up get their letters, answers to those become members.

Each step is idempotent: a letter has the form's id, an answer that was carried on before finds nothing left to do. A
process that dies in between leaves the rest to the next round.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Protocol
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from members.signup import Lettered, SignupTaking
from scheduler.letters import Kind, send_letters

SQL = sql.load(__package__ or "", "signups.sql")

LETTERS_AT_ONCE = 1_000
SIGN_IN_VALID = timedelta(hours=1)
ANSWERS_AT_ONCE = 20


class Answers(Protocol):
    """What the vault makes of an answer (members/signup/answering.py)."""

    async def confirm(self, account_id: UUID, request_id: UUID, at: datetime, /) -> datetime | None:
        """Make the form's member active; return when the consent counts from, None if nothing is left to do."""

    async def disown(self, account_id: UUID, request_id: UUID, /) -> None:
        """Forget whom the form made."""


@dataclass(frozen=True, slots=True)
class Signups:
    """The rounds of a process with a way into both databases."""

    main: asyncpg.Pool
    vault: asyncpg.Pool
    taking: SignupTaking
    answers: Answers
    valid: timedelta
    """How long a letter's link is good."""

    async def take(self) -> int:
        """Take up forms and ask for their letters; return how many were taken up."""
        taken = await self.taking.once()
        async with self.vault.acquire() as connection, connection.transaction():
            lettered = await self.taking.lettered(connection, LETTERS_AT_ONCE)
            for (account_id, letter), found in groupby(sorted(lettered, key=_group), key=_group):
                await self._ask(UUID(account_id), Kind(letter), list(found))
            if lettered:
                await self.taking.passed_on(connection, [one.request_id for one in lettered])
        return taken + len(lettered)

    async def carry(self) -> int:
        """Carry answers to letters that confirm a sign-up on into the vault; return how many."""
        async with self.main.acquire() as connection, connection.transaction():
            rows = await connection.fetch(SQL["answered"], Kind.CONFIRM.value, ANSWERS_AT_ONCE)
            for row in rows:
                await self._carry(connection, row)
            if rows:
                await connection.execute(SQL["carried"], [row["letter_id"] for row in rows])
        return len(rows)

    async def _ask(self, account_id: UUID, kind: Kind, forms: list[Lettered]) -> None:
        await send_letters(
            self.main,
            kind,
            account_id,
            [(form.request_id, form.member_id) for form in forms],
            valid=SIGN_IN_VALID if kind is Kind.SIGN_IN else self.valid,
            languages=[form.language for form in forms],
            subjects=[form.request_id for form in forms],
        )

    async def _carry(self, connection: PoolConnectionProxy, row: asyncpg.Record) -> None:
        if row["answered"] != "accepted":
            await self.answers.disown(row["account_id"], row["subject_id"])
            return
        consented_at = await self.answers.confirm(row["account_id"], row["subject_id"], row["answered_at"])
        if consented_at is not None:
            await connection.execute(SQL["lift"], row["account_id"], row["member_id"], consented_at)


def _group(form: Lettered) -> tuple[str, str]:
    return str(form.account_id), form.letter
