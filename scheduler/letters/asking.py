"""Asks for letters: the one narrow way for whoever wants a member to get one."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from core import sql
from scheduler.letters.kinds import Kind

SQL = sql.load(__package__ or "", "asking.sql")

VALID = timedelta(hours=48)
"""How long a letter's link is good, where its sender does not say."""


async def send_letters(
    connection: asyncpg.Pool | asyncpg.Connection | PoolConnectionProxy,
    kind: Kind,
    account_id: UUID,
    letters: Sequence[tuple[UUID, UUID]],
    *,
    valid: timedelta = VALID,
    languages: Sequence[str | None] | None = None,
    subjects: Sequence[UUID | None] | None = None,
) -> None:
    """Ask for letters to members of the main database's role that `connection` has: (letter's id, member) each.

    Idempotent by the letter's id, which the caller makes. `languages`: of each, where it is known better than by the
    member's locale. `subjects`: what each is about, given back when its link is opened. Whether one may be sent at all
    is decided when it is taken up, within a quarter of a second.
    """
    count = len(letters)
    await connection.execute(
        SQL["ask"],
        [letter_id for letter_id, _ in letters],
        account_id,
        [member_id for _, member_id in letters],
        kind.value,
        list(languages or [None] * count),
        list(subjects or [None] * count),
        valid.total_seconds(),
    )
