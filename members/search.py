"""Finds members by a part of an address or a name: opens them in the order of their making, page by page.

Nothing is indexed by its parts, which would say too much of what is sealed; so a search reads. It is bounded in hits
and in time, says how far it came, and goes on from there. One scan at a time a process, which gives way to the event
loop about every millisecond. A member that can't be opened is counted and passed over. If the database goes away in
between, its error is raised, and the same search may be asked again.
"""

import asyncio
import unicodedata
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from core import sql
from core.clock import Clock
from core.errors import Fault, InvalidInput, Tampered
from members.built_in import NAME
from members.keyring import KeyRings
from members.profile import load
from members.vault import UNREADABLE, ring_for

SQL = sql.load(__package__ or "", "search.sql")

MAX_HITS = 500
MAX_PART = 100
BUDGET = 2.0
"""Seconds a call; what is left then is for the next one."""

_PAGE = 1000
_SLICE = 64


@dataclass(frozen=True, slots=True)
class Found:
    """Whom a search met among the `scanned`, oldest first; `next`: the cursor to go on from, None at the end."""

    member_ids: list[UUID]
    scanned: int
    next: UUID | None


class MemberSearch:
    """Searches among the members of any account."""

    def __init__(self, pool: asyncpg.Pool, rings: KeyRings, clock: Clock) -> None:
        self._pool = pool
        self._rings = rings
        self._clock = clock
        self._turn = asyncio.Lock()

    async def part(self, account_id: UUID, part: str, *, after: UUID | None = None, limit: int = 50) -> Found:
        """Return up to `limit` (≤ 500) members after the cursor whose address or name holds `part`.

        Case, width and spaces don't matter (`folded`). Ends after BUDGET seconds with what was found by then. Raises
        InvalidInput for a part that is empty or over 100 characters.
        """
        wanted = folded(part[: MAX_PART + 1])
        if not wanted or len(part) > MAX_PART:
            raise InvalidInput("Nothing to search by", [Fault("/part", "length", f"1 to {MAX_PART} characters")])
        limit = max(1, min(limit, MAX_HITS))
        async with self._turn:
            return await self._scan(account_id, wanted, after, limit)

    async def _scan(self, account_id: UUID, wanted: str, after: UUID | None, limit: int) -> Found:
        ends_at = self._clock.monotonic() + BUDGET
        found, whole = Found([], 0, after), True
        while whole and (rows := await self._pool.fetch(SQL["page"], account_id, found.next, _PAGE)):
            found, whole = await self._through(account_id, rows, wanted, found, limit, ends_at)
        return Found(found.member_ids, found.scanned, None) if whole else found

    async def _through(
        self,
        account_id: UUID,
        rows: list[asyncpg.Record],
        wanted: str,
        found: Found,
        limit: int,
        ends_at: float,
    ) -> tuple[Found, bool]:
        """Return what is found with these rows, and whether all were looked at."""
        ring = await ring_for(self._rings, account_id, {row["ring_version"] for row in rows})
        open_bytes, hits = ring.opener().open_bytes, found.member_ids
        for number, (member_id, sealed, version, wrapped) in enumerate(rows, 1):
            try:
                address, values = load(open_bytes(member_id.bytes, sealed, version, wrapped))
            except Tampered:
                UNREADABLE.inc()
            else:
                if wanted in folded(address) or wanted in folded(str(values.get(NAME, ""))):
                    hits.append(member_id)
            late = False
            if not number % _SLICE:
                await asyncio.sleep(0)
                late = self._clock.monotonic() > ends_at
            if late or len(hits) >= limit:
                return Found(hits, found.scanned + number, member_id), False
        return Found(hits, found.scanned + len(rows), rows[-1]["member_id"]), True


def folded(text: str) -> str:
    """Return a text as it is compared: NFKC, case folded (Unicode section 3.13), without white space.

    Rules have letters that are alike one for one (members/rules/folding.py), as the database must find them too.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return "".join(text.casefold().split())
