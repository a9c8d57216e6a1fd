"""What a process remembers of forms: as each was read, for a second; which words are known to be kept, for good.

So that a rush to one form asks the databases for it once a second. A form that is closed or changed is so a second
later.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from core.clock import Clock
from members.attribute import Attribute
from members.topics import Topic
from scheduler.branding import Branding

SECONDS = 1.0
MOST = 1_000


@dataclass(frozen=True, slots=True)
class FormParts:
    """What an account's form is made of, in whatever language."""

    branding: Branding
    attributes: tuple[Attribute, ...]
    topics: tuple[Topic, ...]


class KnownForms:
    """Bounded: past 1,000 accounts, or wordings, it begins anew."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._read: dict[UUID, tuple[float, FormParts]] = {}
        self._kept: set[tuple[UUID, str]] = set()

    async def parts(self, account_id: UUID, read: Callable[[], Awaitable[FormParts]]) -> FormParts:
        """Return a form's parts, read anew if they are older than a second."""
        known, now = self._read.get(account_id), self._clock.monotonic()
        if known is not None and now - known[0] < SECONDS:
            return known[1]
        if len(self._read) >= MOST:
            self._read.clear()
        found = await read()
        self._read[account_id] = (now, found)
        return found

    async def keep(self, account_id: UUID, version: str, keep: Callable[[], Awaitable[None]]) -> None:
        """Keep a form's words, unless this process has done so before."""
        if (account_id, version) in self._kept:
            return
        await keep()
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept.add((account_id, version))
