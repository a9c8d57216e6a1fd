"""How far the re-sealing of an account has come, for people to watch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from core import sql

SQL = sql.load(__package__ or "", "progress.sql")


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` members have the form of the generation `goal`. `unreadable`: could not be opened, left alone.

    Members that change while they are being re-sealed are met again in a further `pass`.
    """

    goal: int
    state: Literal["running", "done"]
    pass_: int
    total: int
    done: int
    unreadable: int
    started_at: datetime
    finished_at: datetime | None


async def load_progress(pool: asyncpg.Pool, account_id: UUID) -> Progress | None:
    """Return the account's present or last re-sealing, None if there was none yet."""
    row = await pool.fetchrow(SQL["get"], account_id)
    return None if row is None else Progress(*row)
