"""How often one may ask: counted in Postgres, so that all processes that serve pages count together.

Whom a count is of can't be read from its row: its key is a MAC. While Postgres is away nothing is counted and nothing
is taken either (503).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import asyncpg

from api.pages.errors import TooOften
from core import sql
from core.tokens import LinkSigner

SQL = sql.load(__package__ or "", "limits.sql")

_SUBJECT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` times within `seconds`. `what` is a name in the code, `whose` any text that tells askers apart."""

    what: str
    whose: str
    most: int
    seconds: float


class RateLimits:
    """`main` is a pool of a role that may count; `signer` makes the rows' keys."""

    def __init__(self, main: asyncpg.Pool, signer: LinkSigner) -> None:
        self._main = main
        self._signer = signer

    async def count(self, limits: Sequence[Limit]) -> None:
        """Count one request under each limit; raise TooOften if one is over, with the longest wait."""
        subjects = {self._subject(limit): limit for limit in limits}
        rows = await self._main.fetch(SQL["count"], list(subjects), [limit.seconds for limit in subjects.values()])
        waits = [row["seconds"] for row in rows if row["times"] > subjects[row["subject"]].most]
        if waits:
            raise TooOften(max(1, ceil(max(waits))))

    def _subject(self, limit: Limit) -> bytes:
        named = f"{limit.what}\0{limit.whose}".encode()
        return self._signer.sign("rate limit", named)[-_SUBJECT_BYTES:]
