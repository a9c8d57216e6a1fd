"""Changes of address between the two databases: what both letters of one were answered is made true in the vault.

Idempotent: a change that was made, or given up, before finds nothing left to do.
"""

from dataclasses import dataclass

import asyncpg

from core import sql
from members.moving import Moving
from scheduler.letters import Kind

SQL = sql.load(__package__ or "", "moves.sql")

KINDS = (Kind.CONFIRM_NEW_ADDRESS, Kind.ADDRESS_CHANGING)
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Moves:
    """The round of a process with a way into both databases."""

    main: asyncpg.Pool
    moving: Moving

    async def carry(self) -> int:
        """Make or give up the changes that are decided; return how many letters that settled."""
        async with self.main.acquire() as connection, connection.transaction():
            rows = await connection.fetch(SQL["decided"], [kind.value for kind in KINDS], AT_ONCE)
            for row in rows:
                carry = self.moving.move if row["agreed"] else self.moving.stay
                await carry(row["account_id"], row["member_id"], row["subject_id"])
            if rows:
                await connection.execute(SQL["carried"], [row["letter_id"] for row in rows])
        return len(rows)
