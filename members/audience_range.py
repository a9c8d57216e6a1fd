"""Decides by a plan with sets who of a range of members is in an audience, in one transaction of the vault.

First the sets are made, each for this range alone, in a temporary table: by SQL over the vault, by a stream of ids out
of the main database, by opening members. Then one statement asks the plan's jsonpath. Both tables are empty again when
the transaction ends, however it ends.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple
from uuid import UUID

from core import sql
from members.binary_copy import stream
from members.connection import Connection, Lent
from members.engagement import Engagement, Sink
from members.keyring import KeyRings
from members.rules.plan import Plan
from members.rules.tree import Consented, HasStatus, LastSeen, Mailed
from members.scan import SAME, SET_COLUMNS, scan
from members.traits import Traits

SQL = sql.load(__package__ or "", "audience_range.sql")


async def prepare(connection: Lent) -> None:
    """Make the temporary tables, before the transaction that fills them."""
    await connection.execute(SQL["make"])


async def range_end(connection: Connection, account_id: UUID, after: UUID | None, upper: UUID, limit: int) -> UUID:
    """Return the last of the next `limit` members after `after` and up to `upper`, whoever they are."""
    end: UUID | None = await connection.fetchval(SQL["range_end"], account_id, after, upper, limit - 1)
    return end or upper


class AudienceRange:
    """What was decided of the members up to `end`; to be read in the same transaction."""

    def __init__(self, connection: Lent, end: UUID) -> None:
        self.end = end
        self._connection = connection

    async def totals(self) -> dict[str | None, int]:
        """Return how many meet the plan, by why they can't be sent to (None: they can)."""
        return {row["reason"]: row["total"] for row in await self._connection.fetch(SQL["met_by_reason"])}

    async def copy(self, sink: Sink) -> None:
        """Write (member_id, tag, key of traits) of those who can be sent to, by id, as binary COPY."""
        await self._connection.copy_from_query(SQL["met"], output=sink, format="binary")

    async def everyone(self) -> list[UUID]:
        """Return the ids of all who meet the plan, by id, whether they can be sent to or not."""
        return [row["member_id"] for row in await self._connection.fetch(SQL["everyone"])]

    async def samples(self, limit: int) -> list[UUID]:
        """Return the ids of the first who can be sent to."""
        return [row["member_id"] for row in await self._connection.fetch(SQL["samples"], limit)]


class Span(NamedTuple):
    """The members of an account after `after` (None: from the first) and up to `end`."""

    account_id: UUID
    after: UUID | None
    end: UUID


class RangeDecider:
    """Decides ranges of any account's members: the sets are made first, then asked."""

    def __init__(self, rings: KeyRings, engagement: Engagement) -> None:
        self._rings = rings
        self._engagement = engagement

    async def decide(
        self, connection: Lent, span: Span, topic: UUID | None, traits: Traits, plan: Plan
    ) -> AudienceRange:
        """Decide who of a span's members meets the plan, after `make_sets` in the same transaction.

        `topic`: what is written about, so that who is suppressed for it can't be sent to; of the others
        `traits` are told.
        """
        await connection.execute(SQL["meet"], *span, plan.path, plan.may, topic, *traits.asked, plan.in_sets)
        return AudienceRange(connection, span.end)

    async def make_sets(self, connection: Lent, span: Span, plan: Plan) -> None:
        """Make the plan's sets of a span. `connection` was prepared and is in a transaction that sees one snapshot."""
        for number, asked in enumerate(plan.sets):
            match asked:
                case HasStatus(statuses):
                    await connection.execute(SQL["statuses"], *span, number, list(statuses))
                case Consented(given, scope, source, after, before):
                    kind = "given" if given else "withdrawn"
                    await connection.execute(SQL["consents"], *span, number, kind, scope, source, after, before)
                case Mailed() | LastSeen():
                    await self._bring_over(connection, asked, number, span)
        if plan.scanned:
            rows = await scan(connection, self._rings, *span, plan.may, plan.scanned)
            await connection.copy_to_table(
                "audience_set", columns=SET_COLUMNS, source=stream(SAME, rows), format="binary"
            )

    async def _bring_over(self, connection: Lent, asked: Mailed | LastSeen, number: int, span: Span) -> None:
        """Copy a set out of the main database; it is whole before it is written here, and bounded by the range."""
        blocks: list[bytes] = []

        async def take(block: bytes) -> None:
            blocks.append(block)

        async def taken() -> AsyncIterator[bytes]:
            for block in blocks:
                yield block

        await self._engagement.copy(span.account_id, asked, number, span.after, span.end, take)
        await connection.copy_to_table("audience_set", source=taken(), columns=SET_COLUMNS, format="binary")
