"""Commits what a mail reports: event, counters, stop and strike in one transaction, once for each mail.

While Postgres is away `Unavailable` is raised and nothing is stored: whoever sent the mail keeps it and tries again.
"""

import asyncio
import re
from hashlib import sha256
from uuid import UUID

import asyncpg

from core import sql
from core.database import AWAY
from core.errors import NotFound, Unavailable
from tracking.inbound.sorting import Report

SQL = sql.load(__package__ or "", "records.sql")

SECONDS = 20.0
"""How long one statement may take: less than any sender waits for the answer to its final dot."""

_AWAY: tuple[type[BaseException], ...] = (
    *AWAY,
    TimeoutError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)

# What servers put before a mail on its way differs from copy to copy.
_TRACE = re.compile(
    rb"^(?:return-path|received|delivered-to|x-original-to|envelope-to|x-envelope-[a-z]+|authentication-results|arc-[a-z-]+"
    rb"|received-spf|x-received|x-spam-[a-z-]+)[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*",
    re.IGNORECASE | re.MULTILINE,
)


class Records:
    """What mails have reported, in the main database; `main` is a pool of the role `todoku_inbound`."""

    def __init__(self, main: asyncpg.Pool) -> None:
        self._main = main

    async def add(self, report: Report, digest: bytes) -> bool:
        """Commit a report; return whether it is new. `digest` is the mail's.

        Raises NotFound for a delivery that is not there any more, Unavailable.
        """
        bounce = report.bounce
        try:
            async with asyncio.timeout(SECONDS):
                row = await self._main.fetchrow(
                    SQL["record"],
                    report.delivery.run_id,
                    report.delivery.seq,
                    report.kind,
                    bounce.kind if bounce else "",
                    digest,
                    bounce.reason if bounce else "",
                    bounce.status if bounce else "",
                    bounce.evidence if bounce else "",
                    bounce.gone if bounce else False,
                    bounce.strike if bounce else False,
                )
        except _AWAY as error:
            raise Unavailable("The report can't be stored just now") from error
        if row is None or not row["known"]:
            raise NotFound("No such delivery")
        return bool(row["fresh"])

    async def reply_address(self, run_id: UUID) -> str:
        """Return where replies to a run's mail go. Raises NotFound, Unavailable."""
        try:
            async with asyncio.timeout(SECONDS):
                address: str | None = await self._main.fetchval(SQL["reply_address"], run_id)
        except _AWAY as error:
            raise Unavailable("The sender can't be looked up just now") from error
        if not address:
            raise NotFound("No such run")
        return address


def digest_of(raw: bytes) -> bytes:
    """Return what tells a mail from others: SHA-256 without the fields of its way, whatever its line ends."""
    head, blank, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    return sha256(_TRACE.sub(b"", head + b"\n") + blank + body.rstrip(b"\n")).digest()
