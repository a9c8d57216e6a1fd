"""Topics: what members choose to be written about, kept in each member's facets by id as groups are.

Who joins one consents to it, who leaves takes that back: the ledger and the suppression list have it by the topic's
scope. So members join and leave one by one (MemberStore), or join by an import that says where they consented.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from core import ids, sql
from core.errors import Conflict, Fault, InvalidInput, NotFound, StaleRevision
from members.connection import Connection
from members.errors import TopicInUse
from members.member import Consent

SQL = sql.load(__package__ or "", "topics.sql")

KIND = "top"
LANGUAGES = ("ja", "en")
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by id and name; `label`: what members are shown, by language."""

    topic_id: UUID
    name: str
    label: Mapping[str, str]
    revision: int
    created_at: datetime


class TopicStore:
    """Topics by account."""

    def __init__(self, pool: asyncpg.Pool, new_id: Callable[[], UUID]) -> None:
        self._pool = pool
        self._new_id = new_id

    async def create(self, account_id: UUID, name: str, label: Mapping[str, str] | None = None) -> Topic:
        """Add a topic; raise InvalidInput, or Conflict if the name is taken."""
        _check(name, label or {})
        try:
            return _topic(await self._pool.fetchrow(SQL["create"], self._new_id(), account_id, name, label or {}))
        except asyncpg.UniqueViolationError:
            raise Conflict("Another topic has this name") from None

    async def list(self, account_id: UUID) -> list[Topic]:
        """Return the account's topics, oldest first."""
        return [_topic(row) for row in await self._pool.fetch(SQL["list"], account_id)]

    async def get(self, account_id: UUID, topic_id: UUID) -> Topic:
        """Return one topic; raise NotFound."""
        return _topic(await self._pool.fetchrow(SQL["get"], account_id, topic_id))

    async def change(
        self,
        account_id: UUID,
        topic_id: UUID,
        revision: int,
        *,
        name: str | None = None,
        label: Mapping[str, str] | None = None,
    ) -> Topic:
        """Change what is given; raise NotFound, StaleRevision, InvalidInput, or Conflict if the name is taken."""
        old = await self.get(account_id, topic_id)
        name, label = old.name if name is None else name, old.label if label is None else label
        _check(name, label)
        try:
            row = await self._pool.fetchrow(SQL["change"], account_id, topic_id, revision, name, dict(label))
        except asyncpg.UniqueViolationError:
            raise Conflict("Another topic has this name") from None
        if row is None:
            raise StaleRevision("The topic was changed in the meantime")
        return _topic(row)

    async def remove(self, account_id: UUID, topic_id: UUID) -> None:
        """Remove a topic, and its members from it; raise NotFound, or TopicInUse if a segment filters by it.

        What members consented to and took back stays in the ledger.
        """
        segments = await self._pool.fetch(SQL["segments_naming"], account_id, ids.encode(KIND, topic_id))
        if segments:
            raise TopicInUse(f"Segments filter by it: {', '.join(row['name'] for row in segments)}")
        if await self._pool.fetchval(SQL["remove"], account_id, topic_id) is None:
            raise NotFound("No such topic")
        while rows := await self._pool.fetch(SQL["some_members"], account_id, str(topic_id)):
            members = [row["member_id"] for row in rows]
            await self._pool.execute(SQL["take_out_members"], account_id, members, str(topic_id))


async def topic_ids(connection: Connection, account_id: UUID) -> list[UUID]:
    """Return the ids of the account's topics."""
    return [row["topic_id"] for row in await connection.fetch(SQL["ids"], account_id)]


async def check_topics(connection: Connection, account_id: UUID, topic_ids: Sequence[UUID], pointer: str) -> None:
    """Raise InvalidInput with a fault `<pointer>/<n>` for each that the account does not have."""
    if not topic_ids:
        return
    known = {row["topic_id"] for row in await connection.fetch(SQL["known"], account_id, list(topic_ids))}
    faults = [
        Fault(f"{pointer}/{number}", "unknown-topic", "The account has no such topic")
        for number, topic_id in enumerate(topic_ids)
        if topic_id not in known
    ]
    if faults:
        raise InvalidInput("No such topic", faults)


def check_joining(joined: Collection[UUID], consent: Consent | None) -> None:
    """Raise InvalidInput unless who joins topics consents to it."""
    if joined and consent is None:
        fault = Fault("/consent", "missing", "Who joins a topic consents to it: say by what and when")
        raise InvalidInput("A topic is joined by consent", [fault])


def _check(name: str, label: Mapping[str, str]) -> None:
    faults = []
    if not 0 < len(name) <= MAX_NAME or not name.isprintable():
        faults.append(Fault("/name", "bad-name", f"1 to {MAX_NAME} printable characters"))
    if not label.keys() <= set(LANGUAGES) or not all(0 < len(text) <= MAX_NAME for text in label.values()):
        faults.append(Fault("/label", "bad-label", f"By {' and '.join(LANGUAGES)}: 1 to {MAX_NAME} characters"))
    if faults:
        raise InvalidInput("The topic can't be kept so", faults)


def _topic(row: asyncpg.Record | None) -> Topic:
    if row is None:
        raise NotFound("No such topic")
    return Topic(**row)
